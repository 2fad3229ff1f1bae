"""Amazon SES events over SNS, in both formats: event publishing and feedback notifications.

Source: Amazon SES, "Contents of event data that Amazon SES publishes to Amazon SNS" and
"Amazon SNS notification contents for Amazon SES".
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parseaddr
from typing import ClassVar

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.links.addresses import normalise
from preference_center.mail.arf import NOT_COMPLAINTS
from preference_center.providers.event import (
    CUSTOM_ARGUMENT,
    Event,
    MalformedEventError,
    WebhookRequest,
    bounce,
    ignored_bounce,
    soft_bounce,
)
from preference_center.providers.fields import JsonObject, parse
from preference_center.providers.ses.sns import SnsVerifier

# Permanent bounces after an attempt. For other subtypes SES did not try: the address is on one of
# its suppression lists (Suppressed, OnAccountSuppressionList, OnTenantSuppressionList).
_TRIED = {"", "General", "NoEmail"}
_ABOUT_THE_MESSAGE = {"MessageTooLarge", "ContentRejected", "AttachmentRejected"}


@dataclass(frozen=True)
class Ses:
    """Reads SES events from SNS notifications."""

    max_body_bytes: ClassVar = 1_048_576  # SNS messages have up to 256 KiB before JSON escaping
    verifier: SnsVerifier

    def read(self, posted: WebhookRequest, now: datetime) -> list[Event]:
        """Verify and parse a request."""
        envelope = JsonObject(parse(posted.body))
        message = self.verifier.open(envelope, now)
        try:
            content = JsonObject(parse(message))
        except MalformedEventError:
            return []  # "Successfully validated SNS topic …", which is not an event
        return list(_events(envelope.text("MessageId"), content, now))


def _events(message_id: str, content: JsonObject, now: datetime) -> Iterator[Event]:
    kind = content.text("eventType") or content.text("notificationType")
    mail = content.part("mail")
    token = _token(mail)
    if kind == "Bounce":
        events = _bounces(message_id, content.part("bounce"), token, now)
        yield from _with_destinations(mail, events)
    elif kind == "Complaint":
        events = _complaints(message_id, content.part("complaint"), token, now)
        yield from _with_destinations(mail, events)
    elif kind == "Delivery":
        delivery = content.part("delivery")
        at = delivery.time("timestamp") or now
        for number, address in enumerate(delivery.texts("recipients")):
            yield Event(f"{message_id} {number}", "delivered", _plain(address), token, at)
    elif kind == "Subscription":
        yield from _unsubscribed(message_id, content, token, now)


def _with_destinations(mail: JsonObject, events: Iterator[Event]) -> Iterator[Event]:
    """Add to each event whether SES itself sent to the address, or a forwarder did."""
    sent_to = {normalise(_plain(address)) for address in mail.texts("destination")}
    for event in events:
        known = bool(sent_to) and bool(event.address)
        yield replace(event, sent_to_address=normalise(event.address) in sent_to if known else None)


def _bounces(message_id: str, fields: JsonObject, token: str, now: datetime) -> Iterator[Event]:
    kind, subtype = fields.text("bounceType"), fields.text("bounceSubType")
    at = fields.time("timestamp") or now
    for number, recipient in enumerate(fields.parts("bouncedRecipients")):
        event_id, address = f"{message_id} {number}", _plain(recipient.text("emailAddress"))
        status, reason = recipient.text("status"), recipient.text("diagnosticCode")
        if kind == "Permanent" and subtype in _TRIED:
            severity = BounceSeverity.PERMANENT
            yield bounce(
                event_id, address, token, at, status=status, reason=reason, otherwise=severity
            )
        elif kind == "Transient" and subtype in _ABOUT_THE_MESSAGE:
            yield ignored_bounce(event_id, address, token, at)
        elif (kind, subtype) != ("Transient", "General") or status or reason:
            # Transient/General without a code or a reason is an automatic reply: out of office.
            text = "" if kind == "Permanent" else reason
            yield soft_bounce(event_id, address, token, at, status=status, reason=text)


def _complaints(message_id: str, fields: JsonObject, token: str, now: datetime) -> Iterator[Event]:
    """Yield a complaint per recipient, or one for the token if recipients are redacted."""
    if fields.text("complaintFeedbackType") in NOT_COMPLAINTS:
        return
    at = fields.time("timestamp") or now
    found = [each.text("emailAddress") for each in fields.parts("complainedRecipients")]
    for number, address in enumerate(found or [""]):
        yield Event(f"{message_id} {number}", "complaint", _plain(address), token, at)


def _unsubscribed(
    message_id: str, content: JsonObject, token: str, now: datetime
) -> Iterator[Event]:
    """Yield an unsubscribe through SES's own subscription management."""
    fields = content.part("subscription")
    new, old = fields.part("newTopicPreferences"), fields.part("oldTopicPreferences")
    everything = new.is_true("unsubscribeAll")
    if everything or _opted_out(new) - _opted_out(old):
        at = fields.time("timestamp") or now
        address = _plain(content.part("mail").first("destination"))
        yield Event(message_id, "unsubscribe", address, token, at, everything=everything)


def _opted_out(preferences: JsonObject) -> set[str]:
    """Return the names of the topics that are opted out of."""
    topics = preferences.parts("topicSubscriptionStatus")
    return {
        each.text("topicName") for each in topics if each.text("subscriptionStatus") == "OptOut"
    }


def _plain(address: str) -> str:
    """Return the address without the display name that SES repeats from the header."""
    return parseaddr(address)[1] if "<" in address else address


def _token(mail: JsonObject) -> str:
    """Return the token of an email from a message tag, or from a header if SES includes them."""
    tag = mail.part("tags").first(CUSTOM_ARGUMENT)
    wanted = f"x-{CUSTOM_ARGUMENT.replace('_', '-')}"
    headers = (
        each.text("value") for each in mail.parts("headers") if each.text("name").lower() == wanted
    )
    return tag or next(headers, "")
