"""Amazon SES, over SNS: both of its formats, event publishing and feedback notifications.

Source: Amazon SES, "Contents of event data that Amazon SES publishes to Amazon SNS" and
"Amazon SNS notification contents for Amazon SES".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from preference_center.providers.event import (
    CUSTOM_ARGUMENT,
    Event,
    Posted,
    UnreadableError,
    bounce,
    soft_bounce,
)
from preference_center.providers.fields import Fields, parse
from preference_center.providers.sns import Envelopes

_NO_COMPLAINT = {"not-spam", "auth-failure"}
# SES did not even try: the address stands on a list of its own.
_OWN_LIST = {"Suppressed", "OnAccountSuppressionList", "OnTenantSuppressionList"}


@dataclass(frozen=True)
class Ses:
    """Reads what SES says through SNS topics."""

    longest: ClassVar = 1_048_576  # bytes; a message of 256 KiB, its quotes escaped
    envelopes: Envelopes

    def read(self, posted: Posted, now: datetime) -> list[Event]:
        envelope = Fields(parse(posted.body))
        message = self.envelopes.open(envelope, now)
        try:
            content = Fields(parse(message))
        except UnreadableError:
            return []  # "Successfully validated SNS topic …", which is no event
        return list(_events(envelope.text("MessageId"), content, now))


def _events(message_id: str, content: Fields, now: datetime) -> Iterator[Event]:
    kind = content.text("eventType") or content.text("notificationType")
    token = _token(content.part("mail"))
    if kind == "Bounce":
        yield from _bounces(message_id, content.part("bounce"), token, now)
    elif kind == "DeliveryDelay":
        yield from _delays(message_id, content.part("deliveryDelay"), token, now)
    elif kind == "Complaint":
        yield from _complaints(message_id, content.part("complaint"), token, now)
    elif kind == "Subscription":
        yield from _unsubscribed(message_id, content, token, now)


def _bounces(message_id: str, fields: Fields, token: str, now: datetime) -> Iterator[Event]:
    refused = fields.text("bounceType") == "Permanent"
    refused = refused and fields.text("bounceSubType") not in _OWN_LIST
    at = fields.time("timestamp") or now
    for number, person in enumerate(fields.parts("bouncedRecipients")):
        event_id, address = f"{message_id} {number}", person.text("emailAddress")
        status, reason = person.text("status"), person.text("diagnosticCode")
        if refused:
            yield bounce(event_id, address, token, at, status=status, reason=reason)
        else:
            yield soft_bounce(event_id, address, token, at, status)


def _delays(message_id: str, fields: Fields, token: str, now: datetime) -> Iterator[Event]:
    at = fields.time("timestamp") or now
    for number, person in enumerate(fields.parts("delayedRecipients")):
        event_id, address = f"{message_id} {number}", person.text("emailAddress")
        yield soft_bounce(event_id, address, token, at, person.text("status"))


def _complaints(message_id: str, fields: Fields, token: str, now: datetime) -> Iterator[Event]:
    if fields.text("complaintFeedbackType") in _NO_COMPLAINT:
        return
    at = fields.time("timestamp") or now
    for number, person in enumerate(fields.parts("complainedRecipients")):
        event_id, address = f"{message_id} {number}", person.text("emailAddress")
        yield Event(event_id, "complaint", address, token, at)


def _unsubscribed(message_id: str, content: Fields, token: str, now: datetime) -> Iterator[Event]:
    """Yield a reader who left through SES's own subscription management."""
    fields = content.part("subscription")
    new = fields.part("newTopicPreferences")
    left = (each.text("subscriptionStatus") for each in new.parts("topicSubscriptionStatus"))
    if new.is_true("unsubscribeAll") or "OptOut" in left:
        at = fields.time("timestamp") or now
        address = content.part("mail").first("destination")
        yield Event(message_id, "unsubscribe", address, token, at)


def _token(mail: Fields) -> str:
    """Return the token of a mail, from a message tag or, where SES repeats them, a header."""
    tag = mail.part("tags").first(CUSTOM_ARGUMENT)
    wanted = f"x-{CUSTOM_ARGUMENT.replace('_', '-')}"
    headers = (
        each.text("value") for each in mail.parts("headers") if each.text("name").lower() == wanted
    )
    return tag or next(headers, "")
