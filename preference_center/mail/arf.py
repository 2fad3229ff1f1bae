"""Complaints: reports of feedback loops about emails that were marked as spam (RFC 5965)."""

import re
from dataclasses import dataclass

from preference_center.mail.mime import (
    Headers,
    Message,
    addresses,
    parse_headers,
    without_encoded_words,
)
from preference_center.mail.original import OUTLOOK_RECIPIENT, Original

MAX_KIND_LENGTH = 200  # characters
MAX_FEEDBACK_IDS = 50
# Feedback types that are not complaints. Any other type is one, even an unregistered one ("spam",
# "xarf"): the recipient of the email has objected to it.
NOT_COMPLAINTS = frozenset({"not-spam", "auth-failure"})
_COMMENT = re.compile(r"\([^()]*\)")  # RFC 5965's grammar allows CFWS around the word
_FEEDBACK_TYPE = re.compile(rb"(?im)^feedback-type[ \t]*:")


@dataclass(frozen=True)
class Complaint:
    """The contents of a feedback report. None of it is verified.

    `kind` is the Feedback-Type in lower case: abuse, fraud, virus, other, not-spam, auth-failure,
    opt-out, opt-out-list, miscategorized, or an unregistered word. `mail_from` is the envelope
    sender of the reported email, or "". `feedback_ids` are the CFBL-Feedback-ID fields of the
    report.
    """

    kind: str
    mail_from: str
    feedback_ids: tuple[str, ...] = ()


def read(message: Message, returned: Original | None) -> Complaint | None:
    """Return the complaint that a message contains, or None."""
    for block in _feedback(message):
        fields = parse_headers(block.strip(b"\n"))
        if fields.fields:
            return _complaint(fields)
    if returned is not None and _is_from_outlook(message, returned):
        return Complaint("abuse", "")
    return None


def _feedback(message: Message) -> list[bytes]:
    """Return the feedback-report parts, or the plain text that takes their place."""
    blocks = [part.content() for part in message.of("message/feedback-report")]
    if blocks or message.parameter("report-type").lower() != "feedback-report":
        return blocks
    texts = [part.content() for part in message.of("text/plain")]
    return [text[found.start() :] for text in texts if (found := _FEEDBACK_TYPE.search(text))]


def _is_from_outlook(message: Message, returned: Original) -> bool:
    """Return True for Outlook's feedback loop (JMRP), which sends the email without a report.

    Some mail systems on the way merge that email with the message around it.
    """
    if message.headers.first(OUTLOOK_RECIPIENT):
        return True
    subject = without_encoded_words(message.headers.first("subject")).lower()
    staff = "staff@hotmail.com" in message.headers.first("from").lower()
    mixed = message.type == "multipart/mixed"
    if returned.headers.first(OUTLOOK_RECIPIENT):
        return mixed or staff
    return mixed and staff and "complaint about" in subject


def _complaint(fields: Headers) -> Complaint:
    return Complaint(
        kind=_kind(fields.first("feedback-type")),
        mail_from=next(addresses(fields.first("original-mail-from")), ""),
        feedback_ids=tuple(fields.all("cfbl-feedback-id")[:MAX_FEEDBACK_IDS]),
    )


def _kind(value: str) -> str:
    """Return the first word of a Feedback-Type in lower case, or "other"."""
    words = _COMMENT.sub(" ", value.lower()).strip(" ;.,\"'").split()
    return next(iter(words), "other").rstrip(";,")[:MAX_KIND_LENGTH] or "other"
