"""What all providers have in common: what they post, what they say, and how they are refused."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol

from preference_center.core.vocab import BounceSeverity
from preference_center.mail import bounce_policy

CUSTOM_ARGUMENT = "preference_center"  # the name under which a mail carries its `event_token`
# Providers that could not reach us go on trying for up to a day.
FRESH_FOR = timedelta(hours=24)
CLOCKS_DIFFER_BY = timedelta(minutes=10)
_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)


class InvalidSignatureError(Exception):
    """It is not signed by the provider, or was signed too long ago."""


class MalformedEventError(Exception):
    """It is signed, and no event of a form that we know."""


class VerificationUnavailableError(Exception):
    """What proves it could not be fetched now; the provider posts it again."""


@dataclass(frozen=True)
class WebhookRequest:
    """A request as it came: its body, and what a header says by its name, or ""."""

    body: bytes
    header: Callable[[str], str]


@dataclass(frozen=True)
class Event:
    """One thing that happened to an email to `address`.

    `id` is unique at its provider, or "". `token` is the email's `event_token`, or "". A bounce has
    a `severity`, and the enhanced status code (RFC 3463) that says so, or "". `authority` is how
    far the event itself is proved: see `core.bounces`. An unsubscribe may be from `everything`,
    whatever the email was about. `sent_to_address` is whether the provider itself sent to
    `address`, or None where it does not say. An event of kind `unknown` is only kept, with the
    request as it came in `raw`.
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
        """Return what tells it from every other event of its provider."""
        return self.id or f"{self.kind} {self.address} {self.occurred_at.isoformat()}"


class Provider(Protocol):
    """Reads what one provider posts: a body of at most `max_body_bytes` bytes.

    That is little where it must be parsed before it can be proved.
    """

    max_body_bytes: ClassVar[int]

    def read(self, posted: WebhookRequest, now: datetime) -> list[Event]:
        """Return the events that end something, and deliveries; other ones are left out.

        Raise ForgedError, UnreadableError or AwayError.
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
    """Return a failed delivery as a mail server's code and words judge it.

    `otherwise` is the provider's own verdict: it counts where the code and the words tell nothing.
    """
    verdict = bounce_policy.judge(_code(status), reason, otherwise=otherwise)
    severity, code = verdict.severity, verdict.code
    return Event(event_id, "bounce", address, token, at, severity=severity, code=code)


def soft_bounce(
    event_id: str, address: str, token: str, at: datetime, *, status: str = "", reason: str = ""
) -> Event:
    """Return a delivery that the provider gave up for a reason that may pass: SOFT at most.

    An attempt that is tried again is none: most of those end as delivered.
    """
    event = bounce(event_id, address, token, at, status=status, reason=reason)
    if event.severity is BounceSeverity.IGNORED:
        return event
    return replace(event, severity=BounceSeverity.SOFT, code=_code(status))


def ignored_bounce(event_id: str, address: str, token: str, at: datetime) -> Event:
    """Return a delivery that failed because of the sender or the message."""
    return Event(event_id, "bounce", address, token, at, severity=BounceSeverity.IGNORED)


def refuse_what_is_old(signed_at: datetime | None, now: datetime) -> None:
    """Raise ForgedError where the time under a signature is none, old, or still to come."""
    if signed_at is None or not -CLOCKS_DIFFER_BY <= now - signed_at <= FRESH_FOR:
        raise InvalidSignatureError


def _code(status: str) -> str:
    """Return an enhanced status code, or "" for what is none."""
    return status if _CODE.fullmatch(status) else ""
