"""Parse an inbound message into plain values.

Nothing is verified here. The caller checks the signatures of links and recipients; `From` can be
forged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from preference_center.mail import arf, dsn, original
from preference_center.mail.arf import Complaint
from preference_center.mail.dsn import Failure
from preference_center.mail.mime import Headers, Message, addresses, parse
from preference_center.mail.original import Original

MAX_RECIPIENTS = 50
MAX_MESSAGE_ID_LENGTH = 998
# Headers of the receiving mail server come first; To and Cc are written by the sender.
_RECIPIENTS = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-delivered-to",
    "to",
    "cc",
    "apparently-to",
)
_BULK = {"bulk", "list", "junk", "auto_reply"}


@dataclass(frozen=True)
class Incoming:
    """The contents of an inbound message.

    `automatic` messages get no reply (RFC 3834 §2). `recipients` are addresses as written, those
    added by a mail server first. `unread_report` and `challenge` are those of `dsn.Report`.
    `trouble` says why some parts were not read, or is "".
    """

    message_id: str
    automatic: bool
    recipients: tuple[str, ...]
    failures: tuple[Failure, ...]
    unread_report: bool
    challenge: bool
    complaint: Complaint | None
    original: Original | None
    trouble: str


def read(raw: bytes) -> Incoming:
    """Parse at most the first `mime.MAX_PARSED_BYTES` bytes of a message. Never raises."""
    message = parse(raw)
    returned = original.find(message)
    complaint = arf.read(message, returned)
    report = dsn.read(message, returned)
    recipients = dict.fromkeys(_recipients(message.headers))
    return Incoming(
        message_id=message.headers.first("message-id")[:MAX_MESSAGE_ID_LENGTH],
        automatic=bool(complaint or report.failures) or _is_automatic(message),
        recipients=tuple(islice(recipients, MAX_RECIPIENTS)),
        failures=report.failures,
        unread_report=report.unread,
        challenge=report.challenge,
        complaint=complaint,
        original=returned,
        trouble=message.trouble,
    )


def _recipients(headers: Headers) -> Iterator[str]:
    for value in headers.all(*_RECIPIENTS):
        yield from addresses(value)


def _is_automatic(message: Message) -> bool:
    headers = message.headers
    submitted = [value.partition(";")[0].strip().lower() for value in headers.all("auto-submitted")]
    return (
        any(value != "no" for value in submitted)
        or any(name.startswith("list-") for name, _ in headers.fields)
        or any(value.replace(" ", "") == "<>" for value in headers.all("return-path"))
        or any(value.lower() in _BULK for value in headers.all("precedence"))
        or any(value.lower() != "none" for value in headers.all("x-auto-response-suppress"))
        or dsn.is_from_machine(message)
    )
