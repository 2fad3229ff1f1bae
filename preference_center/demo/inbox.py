"""Read the demo's mail folder as a mail program would."""

from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.request import Request, urlopen

MAX_EMAILS = 50


@dataclass(frozen=True)
class Mail:
    """A mail as the inbox shows it. `unsubscribe_url` is what its own button would post to."""

    name: str
    subject: str
    sender: str
    sender_address: str
    at: datetime
    text: str
    html: str
    source: str
    unsubscribe_url: str | None


def mails(folder: Path) -> list[Mail]:
    """Return the newest mails, newest first."""
    found = [_read(path) for path in folder.glob("*.eml")]
    return sorted(found, key=lambda mail: mail.at, reverse=True)[:MAX_EMAILS]


def mail(folder: Path, name: str) -> Mail | None:
    """Return one mail, or None."""
    return next((each for each in mails(folder) if each.name == name), None)


def press_unsubscribe(url: str) -> int:
    """Post to the address in List-Unsubscribe as a mailbox provider does; return the status."""
    body = b"List-Unsubscribe=One-Click"
    # The address stands in a mail that this demo signed itself.
    with urlopen(Request(url, body, method="POST"), timeout=10) as answer:  # noqa: S310
        return int(answer.status)


def _read(path: Path) -> Mail:
    raw = path.read_bytes()
    message = message_from_bytes(raw, policy=default)
    sender = message["From"].addresses[0]
    header = str(message.get("List-Unsubscribe", ""))
    one_click = "List-Unsubscribe=One-Click" in str(message.get("List-Unsubscribe-Post", ""))
    return Mail(
        name=path.stem,
        subject=str(message["Subject"]),
        sender=sender.display_name,
        sender_address=sender.addr_spec,
        at=parsedate_to_datetime(str(message["Date"])),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        source=raw.decode("utf-8", "replace"),
        unsubscribe_url=header.partition(">")[0].lstrip("<") if one_click else None,
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""
