"""Complaints: what a feedback loop sends when somebody presses "This is spam" (RFC 5965)."""

from dataclasses import dataclass
from itertools import islice

from preference_center.mail.mime import Headers, Message, addresses, parse_headers
from preference_center.mail.original import MOST_ADDRESSES, OUTLOOK_RECIPIENT, Original

LONGEST_WORD = 200  # characters


@dataclass(frozen=True)
class Complaint:
    """What a reporter says; nothing of it is proved.

    `kind` is the Feedback-Type in lower case: abuse, fraud, virus, other, not-spam, auth-failure,
    opt-out, opt-out-list, miscategorized, or a word that nobody has heard of. `from_domain`,
    `reporting_mta` and `user_agent` say who reports, or are "". `recipients` are who complains,
    whom many reporters leave out or garble, `removals` whom they want removed, and `mail_from` is
    the envelope sender of the mail that they complain about.
    """

    kind: str
    from_domain: str
    reporting_mta: str
    user_agent: str
    recipients: tuple[str, ...]
    removals: tuple[str, ...]
    mail_from: str


def read(message: Message, returned: Original | None) -> Complaint | None:
    """Return the complaint that a message is, or None."""
    for part in message.of("message/feedback-report"):
        fields = parse_headers(part.content().strip(b"\n"))
        if fields.fields:
            return _complaint(message, fields)
    if returned is not None and _is_from_outlook(message, returned):
        who = (("feedback-type", "abuse"), ("user-agent", "JMRP"))
        original = returned.headers.all(OUTLOOK_RECIPIENT)
        fields = Headers((*who, *(("original-rcpt-to", value) for value in original)))
        return _complaint(message, fields)
    return None


def _is_from_outlook(message: Message, returned: Original) -> bool:
    """Return whether this is Outlook's feedback loop (JMRP), which sends the message alone.

    Some mail systems on the way merge that message and the one around it into one.
    """
    if message.headers.first(OUTLOOK_RECIPIENT):
        return True
    subject = message.headers.first("subject").lower()
    return message.type == "multipart/mixed" and (
        bool(returned.headers.first(OUTLOOK_RECIPIENT))
        or ("staff@hotmail.com" in message.headers.first("from") and "complaint about" in subject)
    )


def _complaint(message: Message, fields: Headers) -> Complaint:
    sender = next(addresses(message.headers.first("from")), "")
    return Complaint(
        kind=fields.first("feedback-type").lower()[:LONGEST_WORD] or "other",
        from_domain=sender.rpartition("@")[2].lower(),
        reporting_mta=fields.first("reporting-mta").rpartition(";")[2].strip()[:LONGEST_WORD],
        user_agent=fields.first("user-agent")[:LONGEST_WORD],
        recipients=_addresses(fields, "original-rcpt-to"),
        removals=_addresses(fields, "removal-recipient"),
        mail_from=next(addresses(fields.first("original-mail-from")), ""),
    )


def _addresses(fields: Headers, name: str) -> tuple[str, ...]:
    found = (address for value in fields.all(name) for address in addresses(value))
    return tuple(islice(found, MOST_ADDRESSES))
