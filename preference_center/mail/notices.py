"""The text of a delivery report, and which of its lines are about which address."""

import re
from collections.abc import Iterator
from itertools import islice

from preference_center.mail import original
from preference_center.mail.mime import Message, addresses, without_encoded_words

MAX_LINES = 500
MAX_REASON_LINES = 8
MAX_NOTICE = 16_000  # characters searched for a challenge
_MIN_SUBJECT = 4  # characters; a shorter subject could be any word
MACHINE_NAME = re.compile(  # local parts of mail systems
    r"mailer-?daemon|mail-?daemon|mdaemon|post[-_]?master|microsoftexchange[0-9a-f]+"
    r"|mail\.delivery\.system|imss"
)
_FIELD = re.compile(
    r"(?i)\W*(?:to|cc|subject|date|message-id|reply-to|sent|x-[\w-]+|(?:original )?sender"
    r"|(?:sender|remote|reporting)-mta):"
)
_SENDER = re.compile(r"(?i)\W*(?:mail )?(?:from|received)\b")
_SUBJECT = re.compile(r"(?i)\W*(?:the )?(?:original )?(?:message |e-?mail )?subject\b")
_WHOM_TO_ASK = re.compile(r"(?i)\b(?:contact|assistance|questions|help|support|reply)\b")


def notice_of(message: Message, returned: original.Original | None) -> str:
    """Return the mail system's own text, without the subject of the returned email."""
    text = "\n".join(original.before_copy(each) for each in original.texts(message))
    subject = "" if returned is None else returned.headers.first("subject")
    for written in {subject, without_encoded_words(subject)}:
        if len(written) >= _MIN_SUBJECT and "@" not in written:
            text = text.replace(written, "")
    return "\n".join(line for line in text.split("\n") if not _SUBJECT.match(line))


def reasons(notice: str, excluded: frozenset[str]) -> dict[str, str]:
    """Return the lines from each mention of an address on, by address.

    `excluded` are addresses that are not recipients, such as the sender's.
    """
    found: dict[str, list[str]] = {}
    current: list[str] = []
    since = 0
    for line in notice.split("\n")[:MAX_LINES]:
        if _FIELD.match(line):
            continue
        named = [address for address in _named(line) if address not in excluded]
        current, since = (named, 0) if named else (current, since + 1)
        if since < MAX_REASON_LINES:
            for address in current:
                found.setdefault(address, []).append(line)
    return {address: "\n".join(lines) for address, lines in found.items()}


def first_paragraph(text: str) -> str:
    """Return the text before the first blank line."""
    return re.split(r"\n[ \t]*\n", text, maxsplit=1)[0]


def preface(notice: str, excluded: frozenset[str]) -> str:
    """Return the lines before the first address, where Notes and MailMarshal give the reason."""
    lines: list[str] = []
    for line in notice.split("\n")[:MAX_LINES]:
        if any(address not in excluded for address in _named(line)):
            return "\n".join(lines[-MAX_REASON_LINES:])
        if not _FIELD.match(line):
            lines.append(line)
    return ""


def _named(line: str) -> Iterator[str]:
    """Yield the addresses in a line that may be recipients."""
    if _FIELD.match(line) or _SENDER.match(line):
        return
    for address in islice(addresses(line[:1000]), 5):
        about = line.lstrip(" <\t>*").startswith(address) or not _WHOM_TO_ASK.search(line)
        if about and not MACHINE_NAME.fullmatch(address.rpartition("@")[0].lower()):
            yield address.removeprefix("SMTP=")  # Exchange 5.5
