"""The demo's inbox: a folder of `.eml` files, written by a transport and shown as an inbox."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from preference_center.demo.company import READER
from preference_center.doctor.link import topic_of

MAX_EMAILS = 50
# The headers on which the email program's button depends, with their continuation lines.
_MARKED = re.compile(r"(?im)^((?:List-Unsubscribe|List-Unsubscribe-Post|List-Id):.*(?:\n[ \t].*)*)")


class FolderTransport:
    """A transport that writes `.eml` files. A file gets its name once it is complete.

    Only emails to the reader whose inbox it is are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Write one email. It replaces an earlier one with the same Message-ID."""
        if recipient != READER:
            return
        name = str(message["Message-ID"]).strip("<>").partition("@")[0]
        part = self._folder / f"{name}.part"
        part.write_bytes(message.as_bytes())
        part.rename(self._folder / f"{name}.eml")


@dataclass(frozen=True)
class Email:
    """An email as the inbox shows it.

    `unsubscribe_url` is where the email program's own Unsubscribe button posts to, or None if the
    email has no such button. `topic` is the topic of this link, or "".
    """

    name: str
    subject: str
    sender: str
    sender_address: str
    at: datetime
    text: str
    html: str
    source: str
    unsubscribe_url: str | None
    topic: str


def inbox_folder(folder: Path) -> Path:
    """Return the folder of the reader's emails, given the folder of the demo."""
    return folder / "mail"


def list_emails(folder: Path) -> list[Email]:
    """Return the newest emails in an inbox folder, newest first."""
    found = [_read(path) for path in folder.glob("*.eml")]
    return sorted(found, key=lambda email: email.at, reverse=True)[:MAX_EMAILS]


def find_email(folder: Path, name: str) -> Email | None:
    """Return the email of this name, or None."""
    return next((email for email in list_emails(folder) if email.name == name), None)


def confirmation(emails: Sequence[Email], since: datetime) -> Email | None:
    """Return the newest email that is about a change after `since`, or None."""
    # The Date of an email has no fractions of a second.
    since = since.replace(microsecond=0)
    own = (email for email in emails if not email.unsubscribe_url and email.at >= since)
    return next(own, None)


def marked_headers(source: str) -> list[tuple[str, bool]]:
    """Return the parts of a message's source, and whether each is a header that matters."""
    header, blank, body = source.replace("\r\n", "\n").partition("\n\n")
    parts = [(part, bool(index % 2)) for index, part in enumerate(_MARKED.split(header))]
    return [*parts, (blank + body, False)]


def press_unsubscribe(url: str) -> int:
    """Post to the URL in List-Unsubscribe, as a mailbox provider does.

    Return the status, or 0 without an answer.
    """
    return press(url, b"List-Unsubscribe=One-Click")


def press(url: str, form: bytes = b"") -> int:
    """Post a form to a page of this demo. Return the status, or 0 without an answer."""
    try:
        with urlopen(Request(url, form, method="POST"), timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except URLError:
        return 0


def _read(path: Path) -> Email:
    raw = path.read_bytes()
    message = message_from_bytes(raw, policy=default)
    sender = message["From"].addresses[0]
    header = str(message.get("List-Unsubscribe", ""))
    url = header.partition(">")[0].lstrip("<")
    one_click = "List-Unsubscribe=One-Click" in str(message.get("List-Unsubscribe-Post", ""))
    return Email(
        name=path.stem,
        subject=str(message["Subject"]),
        sender=sender.display_name,
        sender_address=sender.addr_spec,
        at=parsedate_to_datetime(str(message["Date"])),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        source=raw.decode("utf-8", "replace"),
        unsubscribe_url=url if one_click else None,
        topic=topic_of(url),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""
