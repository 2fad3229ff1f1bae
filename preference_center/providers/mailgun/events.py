"""Mailgun's webhooks: one event each, with an HMAC of a time and a token.

The signature does not cover the event: anyone else who receives this account's webhooks could
attach another event to it. So each token is accepted for one event only, and an event has no more
authority than a bounce that the recipient of the email could forge.
Source: Mailgun, "Securing Webhooks" and "Event Structure".
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar
from urllib.parse import parse_qsl

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.mail.mime import parse as parse_mime
from preference_center.providers.event import (
    CUSTOM_ARGUMENT,
    Event,
    InvalidSignatureError,
    MalformedEventError,
    WebhookRequest,
    bounce,
    check_signing_time,
    soft_bounce,
)
from preference_center.providers.fields import JsonObject, from_seconds, parse

MAX_FORM_FIELDS = 100
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
# Mailgun did not try to deliver, because of an earlier unsubscribe or complaint.
_SUPPRESSED_FOR = {"suppress-unsubscribe": "unsubscribed", "suppress-complaint": "complained"}


@dataclass(frozen=True)
class Mailgun:
    """Reads events signed with the account's HTTP webhook signing key."""

    max_body_bytes: ClassVar = 262_144
    signing_key: str

    def read(self, posted: WebhookRequest, now: datetime) -> list[Event]:
        """Verify and parse a request."""
        if posted.header("Content-Type").partition(";")[0].strip().lower() in _FORMS:
            return self._read_form(posted, now)
        fields = JsonObject(parse(posted.body))
        signature = fields.part("signature")
        self._verify(signature, now)
        events = _events(signature.text("token"), fields.part("event-data"), now)
        return [replace(event, authority="return-path") for event in events]

    def _read_form(self, posted: WebhookRequest, now: datetime) -> list[Event]:
        """Verify the form of a legacy webhook, and return it as an unknown event."""
        form = JsonObject(_form_fields(posted))
        self._verify(form, now)
        event_id = f"form {form.text('token')}"
        return [Event(event_id, "unknown", "", "", now, raw=posted.body)]

    def _verify(self, signature: JsonObject, now: datetime) -> None:
        timestamp = signature.text("timestamp")
        if not (timestamp.isascii() and timestamp.isdigit()):
            # Digits only: otherwise characters could move from the token to the timestamp.
            raise InvalidSignatureError("the timestamp is missing or malformed")
        check_signing_time(from_seconds(timestamp), now)
        signed = (timestamp + signature.text("token")).encode()
        expected = hmac.new(self.signing_key.encode(), signed, "sha256").hexdigest().encode()
        # An event of a subaccount is signed with its own key and with the parent account's.
        given = (signature.text(name).encode() for name in ("signature", "parent-signature"))
        if not any(hmac.compare_digest(expected, each) for each in given):
            raise InvalidSignatureError("the signature is wrong")


def _events(event_id: str, fields: JsonObject, now: datetime) -> Iterator[Event]:
    kind, address = fields.text("event"), fields.text("recipient")
    token = fields.part("user-variables").text(CUSTOM_ARGUMENT)
    at = fields.time("timestamp") or now
    status = fields.part("delivery-status")
    code = status.text("enhanced-code")
    if kind == "failed":
        kind = _SUPPRESSED_FOR.get(fields.text("reason"), kind)
    if kind == "failed" and fields.text("severity") != "permanent":
        return  # Mailgun will retry
    if kind == "failed" and not fields.text("reason").startswith("suppress-"):
        reason = f"{status.text('message')} {status.text('description')}"
        hard = fields.text("reason") == "bounce" and status.text("bounce-type") != "soft"
        severity = BounceSeverity.PERMANENT if hard else BounceSeverity.SOFT
        yield bounce(event_id, address, token, at, status=code, reason=reason, otherwise=severity)
    elif kind == "failed":  # on Mailgun's suppression list
        yield soft_bounce(event_id, address, token, at, status=code)
    elif kind == "delivered":
        yield Event(event_id, "delivered", address, token, at)
    elif kind == "complained":
        yield Event(event_id, "complaint", address, token, at)
    elif kind == "unsubscribed":
        yield Event(event_id, "unsubscribe", address, token, at)


def _form_fields(posted: WebhookRequest) -> dict[str, str]:
    """Return the text fields of a form. Raise MalformedEventError."""
    kind = posted.header("Content-Type")
    if kind.lower().startswith("multipart/"):
        message = parse_mime(b"Content-Type: " + kind.encode() + b"\n\n" + posted.body)
        return {
            part.header_parameter("content-disposition", "name"): part.text().strip()
            for part in message.parts
        }
    try:
        pairs = parse_qsl(posted.body.decode(), max_num_fields=MAX_FORM_FIELDS)
    except ValueError as error:
        raise MalformedEventError("the body is not a form") from error
    return dict(pairs)
