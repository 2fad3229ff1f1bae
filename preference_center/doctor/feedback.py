"""Feedback-ID, by which Gmail's Postmaster Tools count complaints. The header is optional.

https://support.google.com/a/answer/6254652
"""

from preference_center.doctor.report import Report, printable
from preference_center.links.headers import MAX_SENDER_LENGTH, MIN_SENDER_LENGTH
from preference_center.mail.dkim_check import Signature
from preference_center.mail.raw_message import RawMessage

NAME = "Feedback-ID"
_FIELDS = 4


def check(message: RawMessage, signatures: list[Signature], report: Report) -> None:
    """Check that there is at most one, with four fields and no address, and that DKIM signs it."""
    found = message.all(NAME)
    if not found:
        report.note(
            "feedback-id",
            "There is none: Gmail's Postmaster Tools count complaints by domain only.",
            "To count them by campaign and topic, send Feedback-ID: CAMPAIGN:TOPIC:list:SENDER.",
        )
    elif len(found) > 1:
        report.warn(
            "feedback-id",
            f"There are {len(found)} Feedback-ID headers.",
            "Send exactly one: leave out yours if your provider adds its own.",
        )
    elif problem := _problem(found[0].value):
        report.warn(
            "feedback-id",
            f"{problem}: {printable(found[0].value)}",
            f"Write four fields with colons between them. The last one names the sender with "
            f"{MIN_SENDER_LENGTH} to {MAX_SENDER_LENGTH} characters, and none names a recipient.",
        )
    elif _is_unsigned(signatures):
        report.warn(
            "feedback-id", "No valid DKIM signature covers it, so it has no effect.", "Sign it."
        )
    else:
        report.passed("feedback-id", printable(found[0].value))


def _is_unsigned(signatures: list[Signature]) -> bool:
    """Return True if there are valid signatures, but none covers the header."""
    valid = [each for each in signatures if each.state == "valid"]
    return bool(valid) and not any(NAME.lower() in each.signed for each in valid)


def _problem(value: bytes) -> str:
    """Return what is wrong with a value, or ""."""
    text = value.decode("ascii", "replace").strip()
    fields = text.split(":")
    if len(fields) != _FIELDS:
        return f"It has {len(fields)} fields instead of {_FIELDS}"
    if not MIN_SENDER_LENGTH <= len(fields[-1]) <= MAX_SENDER_LENGTH:
        return f"Its last field has {len(fields[-1])} characters"
    return "It contains an address" if "@" in text else ""
