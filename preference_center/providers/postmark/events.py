"""Postmark's webhooks: one record each, authenticated by a password (HTTP basic authentication).

Source: Postmark, "Bounce webhook", "Delivery webhook", "Spam complaint webhook",
"Subscription change webhook".
"""

import hmac
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.providers.event import (
    CUSTOM_ARGUMENT,
    Event,
    InvalidSignatureError,
    WebhookRequest,
    bounce,
    ignored_bounce,
    soft_bounce,
)
from preference_center.providers.fields import JsonObject, parse

_TEMPORARY = {"Transient", "DnsError", "SoftBounce"}
_ABOUT_THE_SENDER = {"SpamNotification", "Blocked", "DMARCPolicy", "VirusNotification"}
_UNSUBSCRIBES = {"Unsubscribe", "ManuallyDeactivated"}


@dataclass(frozen=True)
class Postmark:
    """Reads events sent with the `user:password` in the webhook's settings."""

    max_body_bytes: ClassVar = 4_194_304  # a bounce may contain the email
    credentials: str

    def read(self, posted: WebhookRequest, now: datetime) -> list[Event]:
        """Verify and parse a request."""
        self._verify(posted)
        return list(_events(JsonObject(parse(posted.body)), now))

    def _verify(self, posted: WebhookRequest) -> None:
        scheme, _, given = posted.header("Authorization").partition(" ")
        try:
            credentials = b64decode(given.strip(), validate=True)
        except ValueError as error:
            raise InvalidSignatureError("the password is missing or malformed") from error
        right = hmac.compare_digest(credentials, self.credentials.encode())
        if scheme.lower() != "basic" or not right:
            raise InvalidSignatureError("the password is wrong")


def _events(fields: JsonObject, now: datetime) -> Iterator[Event]:
    record = fields.text("RecordType")
    token = fields.part("Metadata").text(CUSTOM_ARGUMENT)
    if record == "SubscriptionChange":
        yield from _subscription_change(fields, token, now)
    elif record == "SpamComplaint":
        at = fields.time("BouncedAt") or now
        yield Event(_id(fields), "complaint", fields.text("Email"), token, at)
    elif record == "Delivery":
        address, at = fields.text("Recipient"), fields.time("DeliveredAt") or now
        yield Event(f"{fields.text('MessageID')} {address}", "delivered", address, token, at)
    elif record == "Bounce":
        yield from _bounce(fields, token, fields.time("BouncedAt") or now)


def _bounce(fields: JsonObject, token: str, at: datetime) -> Iterator[Event]:
    kind, address = fields.text("Type"), fields.text("Email")
    if kind == "HardBounce":
        reason, severity = fields.text("Details"), BounceSeverity.PERMANENT
        yield bounce(_id(fields), address, token, at, reason=reason, otherwise=severity)
    elif kind == "BadEmailAddress":
        yield bounce(_id(fields), address, token, at, status="5.1.3")
    elif kind in _TEMPORARY:
        yield soft_bounce(_id(fields), address, token, at)
    elif kind in _ABOUT_THE_SENDER:
        yield ignored_bounce(_id(fields), address, token, at)
    elif kind == "SpamComplaint":
        yield Event(_id(fields), "complaint", address, token, at)
    elif kind in _UNSUBSCRIBES:
        yield Event(_id(fields), "unsubscribe", address, token, at)


def _subscription_change(fields: JsonObject, token: str, now: datetime) -> Iterator[Event]:
    """Yield the end of a subscription. `SuppressSending: false` does not restore one."""
    reason, address = fields.text("SuppressionReason"), fields.text("Recipient")
    at = fields.time("ChangedAt") or now
    event_id = "\n".join((fields.text("MessageID"), address, reason, fields.text("ChangedAt")))
    if not fields.is_true("SuppressSending"):
        return
    if reason == "HardBounce":
        yield bounce(event_id, address, token, at, otherwise=BounceSeverity.PERMANENT)
    elif reason == "SpamComplaint":
        yield Event(event_id, "complaint", address, token, at)
    else:
        yield Event(event_id, "unsubscribe", address, token, at)


def _id(fields: JsonObject) -> str:
    number = fields.text("ID")
    return f"{fields.text('RecordType')} {number}" if number else ""
