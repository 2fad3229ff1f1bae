"""Complaints: what a feedback loop sends when somebody presses "This is spam" (RFC 5965)."""

import re
from dataclasses import dataclass
from itertools import islice

from preference_center.mail.mime import (
    Headers,
    Message,
    addresses,
    parse_headers,
    without_encoded_words,
)
from preference_center.mail.original import MAX_ADDRESSES, OUTLOOK_RECIPIENT, Original

MAX_WORD_LENGTH = 200  # characters
_COMMENT = re.compile(r"\([^()]*\)")  # RFC 5965's grammar has CFWS around the word
_FEEDBACK = re.compile(rb"(?im)^feedback-type[ \t]*:")


@dataclass(frozen=True)
class Complaint:
    """What a reporter says; nothing of it is proved.

    `kind` is the Feedback-Type in lower case: abuse, fraud, virus, other, not-spam, auth-failure,
    opt-out, opt-out-list, miscategorized, or an unregistered word. `from_domain`, `reporting_mta`
    and `user_agent` say who reports, or are "". `recipients` are who complains, whom many reporters
    leave out or garble, `removals` whom they want removed, and `mail_from` is the envelope sender
    of the email that they complain about. `feedback_ids` are the CFBL-Feedback-ID fields of the
    report itself.
    """

    kind: str
    from_domain: str
    reporting_mta: str
    user_agent: str
    recipients: tuple[str, ...]
    removals: tuple[str, ...]
    mail_from: str
    feedback_ids: tuple[str, ...] = ()


def read(message: Message, returned: Original | None) -> Complaint | None:
    """Return the complaint that a message is, or None."""
    for block in _feedback(message):
        fields = parse_headers(block.strip(b"\n"))
        if fields.fields:
            return _complaint(message, fields)
    if returned is not None and _is_from_outlook(message, returned):
        who = (("feedback-type", "abuse"), ("user-agent", "JMRP"))
        original = returned.headers.all(OUTLOOK_RECIPIENT)
        fields = Headers((*who, *(("original-rcpt-to", value) for value in original)))
        return _complaint(message, fields)
    return None


def _feedback(message: Message) -> list[bytes]:
    """Return the parts with the fields of a report, also where they are sent as plain text."""
    blocks = [part.content() for part in message.of("message/feedback-report")]
    if blocks or message.parameter("report-type").lower() != "feedback-report":
        return blocks
    texts = [part.content() for part in message.of("text/plain")]
    return [text[found.start() :] for text in texts if (found := _FEEDBACK.search(text))]


def _is_from_outlook(message: Message, returned: Original) -> bool:
    """Return whether this is Outlook's feedback loop (JMRP), which sends the message alone.

    Some mail systems on the way merge that message and the one around it into one.
    """
    if message.headers.first(OUTLOOK_RECIPIENT):
        return True
    subject = without_encoded_words(message.headers.first("subject")).lower()
    staff = "staff@hotmail.com" in message.headers.first("from").lower()
    mixed = message.type == "multipart/mixed"
    if returned.headers.first(OUTLOOK_RECIPIENT):
        return mixed or staff
    return mixed and staff and "complaint about" in subject


def _complaint(message: Message, fields: Headers) -> Complaint:
    sender = next(addresses(message.headers.first("from")), "")
    return Complaint(
        kind=_kind(fields.first("feedback-type")),
        from_domain=sender.rpartition("@")[2].lower(),
        reporting_mta=fields.first("reporting-mta").rpartition(";")[2].strip()[:MAX_WORD_LENGTH],
        user_agent=fields.first("user-agent")[:MAX_WORD_LENGTH],
        recipients=_addresses(fields, "original-rcpt-to"),
        removals=_addresses(fields, "removal-recipient"),
        mail_from=next(addresses(fields.first("original-mail-from")), ""),
        feedback_ids=tuple(fields.all("cfbl-feedback-id")[:MAX_ADDRESSES]),
    )


def _kind(value: str) -> str:
    """Return the first word of a Feedback-Type in lower case, or "other"."""
    words = _COMMENT.sub(" ", value.lower()).strip(" ;.,\"'").split()
    return next(iter(words), "other").rstrip(";,")[:MAX_WORD_LENGTH] or "other"


def _addresses(fields: Headers, name: str) -> tuple[str, ...]:
    found = (address for value in fields.all(name) for address in addresses(value))
    return tuple(islice(found, MAX_ADDRESSES))
