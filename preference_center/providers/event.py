"""Webhook requests, events and errors, common to all providers."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol

from preference_center.core.inbound_vocab import BounceSeverity

CUSTOM_ARGUMENT = "preference_center"  # the name of the `event_token` in an email's metadata
MAX_AGE = timedelta(hours=24)  # providers retry for up to a day
MAX_CLOCK_SKEW = timedelta(minutes=10)
_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)


class InvalidSignatureError(Exception):
    """The provider's signature is missing, wrong or too old. Messages quote nothing from it."""


class MalformedEventError(Exception):
    """The request does not have the provider's documented form."""


class VerificationUnavailableError(Exception):
    """The signing certificate could not be fetched; the provider will retry."""


@dataclass(frozen=True)
class WebhookRequest:
    """A webhook request: its body, and a function that returns a header's value, or ""."""

    body: bytes
    header: Callable[[str], str]


@dataclass(frozen=True)
class Event:
    """An event about one email to `address`.

    `id` is unique at the provider, or "". `token` is the email's `event_token`, or "". A bounce has
    a `severity` and the enhanced status code (RFC 3463) that it follows from, or "". `authority`
    says how trustworthy the event is: see `core.bounces`. `everything` marks an unsubscribe from
    all topics. `sent_to_address` is whether the provider itself sent to `address`, or None if
    unknown. An event of kind `unknown` is only quarantined; `raw` is the request body.
    """

    id: str
    kind: Literal["bounce", "complaint", "delivered", "unsubscribe", "unknown"]
    address: str
    token: str
    occurred_at: datetime
    severity: BounceSeverity = BounceSeverity.SOFT
    code: str = ""
    authority: Literal["provider", "return-path"] = "provider"
    everything: bool = False
    sent_to_address: bool | None = None
    raw: bytes = b""

    @property
    def name(self) -> str:
        """Return the deduplication key of the event."""
        return self.id or f"{self.kind} {self.address} {self.occurred_at.isoformat()}"


class EventReader(Protocol):
    """Verifies and parses the webhook requests of one provider.

    `max_body_bytes` is small if a body must be parsed before it can be verified.
    """

    max_body_bytes: ClassVar[int]

    def read(self, posted: WebhookRequest, now: datetime) -> list[Event]:
        """Return the bounces, complaints, unsubscribes and deliveries in a request.

        Raise InvalidSignatureError, MalformedEventError or VerificationUnavailableError.
        """
        ...


def bounce(
    event_id: str,
    address: str,
    token: str,
    at: datetime,
    *,
    status: str = "",
    reason: str = "",
    otherwise: BounceSeverity = BounceSeverity.SOFT,
) -> Event:
    """Return a bounce, classified by the mail server's code and text.

    `otherwise` is the provider's own classification, used if these are not conclusive.
    """
    # Not above: its patterns take 40 ms to compile, and many installations get no events.
    from preference_center.mail import bounce_policy

    result = bounce_policy.classify(_code(status), reason, otherwise=otherwise)
    severity, code = result.severity, result.code
    return Event(event_id, "bounce", address, token, at, severity=severity, code=code)


def soft_bounce(
    event_id: str, address: str, token: str, at: datetime, *, status: str = "", reason: str = ""
) -> Event:
    """Return a bounce for a temporary reason, after the provider's last attempt: SOFT at most.

    Attempts that the provider will retry are not bounces: most are delivered in the end.
    """
    event = bounce(event_id, address, token, at, status=status, reason=reason)
    if event.severity is BounceSeverity.IGNORED:
        return event
    return replace(event, severity=BounceSeverity.SOFT, code=_code(status))


def ignored_bounce(event_id: str, address: str, token: str, at: datetime) -> Event:
    """Return a bounce that is about the sender or the message."""
    return Event(event_id, "bounce", address, token, at, severity=BounceSeverity.IGNORED)


def check_signing_time(signed_at: datetime | None, now: datetime) -> None:
    """Raise InvalidSignatureError if a signing time is missing, too old or in the future."""
    if signed_at is None:
        raise InvalidSignatureError("the timestamp is missing or malformed")
    if now - signed_at > MAX_AGE:
        raise InvalidSignatureError("the timestamp is too old")
    if now - signed_at < -MAX_CLOCK_SKEW:
        raise InvalidSignatureError("the timestamp is in the future")


def _code(status: str) -> str:
    """Return a valid enhanced status code, or ""."""
    return status if _CODE.fullmatch(status) else ""
