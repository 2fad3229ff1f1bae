"""SendGrid's signed event webhook: lists of events, signed with ECDSA P-256.

Source: Twilio SendGrid, "Event Webhook Security Features" and "Event Webhook Reference".
"""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.providers.event import (
    CUSTOM_ARGUMENT,
    Event,
    InvalidSignatureError,
    WebhookRequest,
    bounce,
    check_signing_time,
    soft_bounce,
)
from preference_center.providers.fields import JsonObject, each_of, from_seconds, parse

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"

# Custom arguments are fields of the event, or in one of these fields.
_ARGUMENTS = ("custom_args", "unique_args")
# Bounce classifications that are not about the address.
_CLASSIFIED = {
    "content": BounceSeverity.IGNORED,
    "reputation": BounceSeverity.IGNORED,
    "frequency or volume too high": BounceSeverity.IGNORED,
    "technical failure": BounceSeverity.SOFT,
    "mailbox unavailable": BounceSeverity.SOFT,
}
# SendGrid did not try to deliver. Other reasons are the sender's: a quota, a bad header.
_DROPPED_FOR = {
    "unsubscribed address": "unsubscribe",
    "spam reporting address": "spamreport",
    "bounced address": "blocked",
    "invalid": "blocked",
}


def verification_key(text: str) -> EllipticCurvePublicKey:
    """Return the key from base64 DER, as SendGrid shows it. Raise ValueError."""
    key = load_der_public_key(b64decode(text, validate=True))
    match key:
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return key
    raise ValueError("not a P-256 key")


@dataclass(frozen=True)
class SendGrid:
    """Reads events that `key` verifies."""

    max_body_bytes: ClassVar = 4_194_304  # it sends lists of events
    key: EllipticCurvePublicKey

    def read(self, posted: WebhookRequest, now: datetime) -> list[Event]:
        """Verify and parse a request."""
        self._verify(posted, now)
        return [event for fields in each_of(parse(posted.body)) for event in _events(fields, now)]

    def _verify(self, posted: WebhookRequest, now: datetime) -> None:
        timestamp = posted.header(TIMESTAMP)
        check_signing_time(from_seconds(timestamp), now)
        try:
            signature = b64decode(posted.header(SIGNATURE), validate=True)
            self.key.verify(signature, timestamp.encode() + posted.body, ECDSA(SHA256()))
        except (ValueError, InvalidSignature) as error:
            raise InvalidSignatureError("the signature is wrong") from error


def _events(fields: JsonObject, now: datetime) -> Iterator[Event]:
    kind, address = fields.text("event"), fields.text("email")
    event_id, token = fields.text("sg_event_id"), _token(fields)
    at = fields.time("timestamp") or now
    status, reason = fields.text("status"), fields.text("reason")
    if kind == "dropped":
        kind = _DROPPED_FOR.get(reason.strip().lower(), "")
    if kind == "bounce" and fields.text("type") != "blocked":
        severity = _severity(fields)
        yield bounce(event_id, address, token, at, status=status, reason=reason, otherwise=severity)
    elif kind in ("bounce", "blocked"):
        yield soft_bounce(event_id, address, token, at, status=status, reason=reason)
    elif kind == "delivered":
        yield Event(event_id, "delivered", address, token, at)
    elif kind == "spamreport":
        yield Event(event_id, "complaint", address, token, at)
    elif kind in ("unsubscribe", "group_unsubscribe"):
        everything = kind == "unsubscribe"  # the other one is from a group
        yield Event(event_id, "unsubscribe", address, token, at, everything=everything)


def _severity(fields: JsonObject) -> BounceSeverity:
    """Return SendGrid's own classification of a bounce; its type `bounce` means permanent."""
    classified = _CLASSIFIED.get(fields.text("bounce_classification").lower())
    permanent = fields.text("type") == "bounce"
    return classified or (BounceSeverity.PERMANENT if permanent else BounceSeverity.SOFT)


def _token(fields: JsonObject) -> str:
    """Return the token from the custom arguments, or ""."""
    inner = (fields.argument(name, CUSTOM_ARGUMENT) for name in _ARGUMENTS)
    return fields.text(CUSTOM_ARGUMENT) or next(filter(None, inner), "")
