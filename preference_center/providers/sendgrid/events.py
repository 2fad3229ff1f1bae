"""SendGrid's signed event webhook: lists of events, signed by ECDSA over P-256.

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

from preference_center.core.vocab import BounceSeverity
from preference_center.providers.event import (
    CUSTOM_ARGUMENT,
    Event,
    InvalidSignatureError,
    WebhookRequest,
    bounce,
    refuse_what_is_old,
    soft_bounce,
)
from preference_center.providers.fields import JsonObject, each_of, from_seconds, parse

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"

# Custom arguments stand beside the event's own fields, or in a field of their own.
_ARGUMENTS = ("custom_args", "unique_args")
# What SendGrid classes a bounce as that is not about the address.
_CLASSIFIED = {
    "content": BounceSeverity.IGNORED,
    "reputation": BounceSeverity.IGNORED,
    "frequency or volume too high": BounceSeverity.IGNORED,
    "technical failure": BounceSeverity.SOFT,
    "mailbox unavailable": BounceSeverity.SOFT,
}
# Why SendGrid did not even try. The other reasons are the sender's own: a quota, a bad header.
_DROPPED_FOR = {
    "unsubscribed address": "unsubscribe",
    "spam reporting address": "spamreport",
    "bounced address": "blocked",
    "invalid": "blocked",
}


def verification_key(text: str) -> EllipticCurvePublicKey:
    """Return the key as SendGrid shows it, DER in base64; raise ValueError if it is none."""
    key = load_der_public_key(b64decode(text, validate=True))
    match key:
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return key
    raise ValueError("not a P-256 key")


@dataclass(frozen=True)
class SendGrid:
    """Reads what is signed with the key that belongs to `key`."""

    max_body_bytes: ClassVar = 4_194_304  # bytes; it sends lists of events
    key: EllipticCurvePublicKey

    def read(self, posted: WebhookRequest, now: datetime) -> list[Event]:
        self._verify(posted, now)
        return [event for fields in each_of(parse(posted.body)) for event in _events(fields, now)]

    def _verify(self, posted: WebhookRequest, now: datetime) -> None:
        timestamp = posted.header(TIMESTAMP)
        refuse_what_is_old(from_seconds(timestamp), now)
        try:
            signature = b64decode(posted.header(SIGNATURE), validate=True)
            self.key.verify(signature, timestamp.encode() + posted.body, ECDSA(SHA256()))
        except (ValueError, InvalidSignature) as error:
            raise InvalidSignatureError from error


def _events(fields: JsonObject, now: datetime) -> Iterator[Event]:
    kind, address = fields.text("event"), fields.text("email")
    event_id, token = fields.text("sg_event_id"), _token(fields)
    at = fields.time("timestamp") or now
    status, reason = fields.text("status"), fields.text("reason")
    if kind == "dropped":
        kind = _DROPPED_FOR.get(reason.strip().lower(), "")
    if kind == "bounce" and fields.text("type") != "blocked":
        verdict = _verdict(fields)
        yield bounce(event_id, address, token, at, status=status, reason=reason, otherwise=verdict)
    elif kind in ("bounce", "blocked"):
        yield soft_bounce(event_id, address, token, at, status=status, reason=reason)
    elif kind == "delivered":
        yield Event(event_id, "delivered", address, token, at)
    elif kind == "spamreport":
        yield Event(event_id, "complaint", address, token, at)
    elif kind in ("unsubscribe", "group_unsubscribe"):
        everything = kind == "unsubscribe"  # from a list of all that it sends for this account
        yield Event(event_id, "unsubscribe", address, token, at, everything=everything)


def _verdict(fields: JsonObject) -> BounceSeverity:
    """Return SendGrid's own verdict on a bounce; its type `bounce` is a permanent one."""
    classified = _CLASSIFIED.get(fields.text("bounce_classification").lower())
    permanent = fields.text("type") == "bounce"
    return classified or (BounceSeverity.PERMANENT if permanent else BounceSeverity.SOFT)


def _token(fields: JsonObject) -> str:
    """Return the token among the custom arguments, wherever they are."""
    inner = (fields.argument(name, CUSTOM_ARGUMENT) for name in _ARGUMENTS)
    return fields.text(CUSTOM_ARGUMENT) or next(filter(None, inner), "")
