"""Record bounces, and end email to addresses that keep bouncing (M13).

One permanent bounce suppresses the address. Other bounces are counted by the day, and suppress it
when they go on for weeks. `mail.bounce_policy` decides how severe a bounce is, and
`docs/bounces.md` describes the rules.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from preference_center.addresses import normalise
from preference_center.core import consent, subscribers
from preference_center.core.vocab import BounceEffect, BounceSeverity
from preference_center.store import queries
from preference_center.store.tables import BounceCount, SoftBounce, Subscriber

SOFT_DAYS = 5  # so many days with a failure,
SOFT_WITHIN = timedelta(days=30)  # all of them within this,
SOFT_APART = timedelta(days=14)  # and the first and the last so far apart
# Gmail answered 5.1.1 for live accounts on 14 and 15 December 2020: more failures of one domain
# than this in a day, and many times the usual, are no reason to believe any of them.
HOLD_WINDOW = timedelta(hours=24)
HOLD_BASELINE = timedelta(days=14)
HOLD_AT_LEAST = 20
HOLD_TIMES_THE_USUAL = 5

# Anyone who received one of our emails can forge a bounce to its return path, so such a bounce only
# stops marketing email. A provider's signed event stops all email to the address.
Authority = Literal["return-path", "provider"]


@dataclass(frozen=True)
class Bounce:
    """One email to one subscriber that finally bounce.

    `severity` is never IGNORED. `code` is an enhanced status code (RFC 3463) or "". `domain` is the
    recipient's domain if the reporter included it, else "".
    """

    severity: BounceSeverity
    code: str
    occurred_at: datetime
    authority: Authority
    domain: str = ""


def record(session: Session, subscriber_id: UUID, bounce: Bounce, now: datetime) -> BounceEffect:
    """Record a bounce, suppress the subscriber if it says so, and return what was done."""
    permanent = bounce.severity is BounceSeverity.PERMANENT
    subscriber = subscribers.lock(session, subscriber_id, now)
    act = consent.Act("bounce", bounce.occurred_at, now)
    scope: consent.Scope = "all"
    if permanent and bounce.authority == "provider":
        scope = "address"
    if subscriber.erased_at is not None:
        return BounceEffect.DUPLICATE
    if scope in subscriber.suppressions:
        if permanent:
            consent.end_consent(session, subscriber, scope, act)  # notes that it was repeated
        return BounceEffect.DUPLICATE
    held = permanent and _is_held(session, subscriber, bounce, now)
    if held or not permanent:
        if not _lasts(session, subscriber, bounce):
            return BounceEffect.QUARANTINED if held else BounceEffect.SOFT
        scope = "all"
    consent.end_consent(session, subscriber, scope, act)
    forget = delete(SoftBounce).where(SoftBounce.subscriber_id == subscriber_id)
    session.execute(forget)
    return BounceEffect.SUPPRESSED


def _lasts(session: Session, subscriber: Subscriber, bounce: Bounce) -> bool:
    """Note a failure that may pass, once a day; tell whether it has gone on for too long."""
    day, person = bounce.occurred_at.date(), subscriber.subscriber_id
    row = {"subscriber_id": person, "day": day, "code": bounce.code}
    queries.insert_missing(session, SoftBounce, [row])
    days = select(func.count(), func.min(SoftBounce.day), func.max(SoftBounce.day)).where(
        SoftBounce.subscriber_id == person,
        SoftBounce.day > day - SOFT_WITHIN,
        SoftBounce.day <= day,
    )
    count, first, last = session.execute(days).one()
    return bool(count >= SOFT_DAYS and last - first >= SOFT_APART)


def _is_held(session: Session, subscriber: Subscriber, bounce: Bounce, now: datetime) -> bool:
    """Count a permanent failure of a domain; tell whether there are far more than usual."""
    domain = bounce.domain or normalise(subscriber.email or "").rpartition("@")[2]
    if not domain:
        return False
    hour = now.replace(minute=0, second=0, microsecond=0)
    queries.add_counts(session, BounceCount, [{"domain": domain, "hour": hour, "count": 1}])
    recent = _count(session, domain, now - HOLD_WINDOW, now)
    usual = _count(session, domain, now - HOLD_BASELINE, now - HOLD_WINDOW) / (
        (HOLD_BASELINE - HOLD_WINDOW) / HOLD_WINDOW
    )
    return recent >= HOLD_AT_LEAST and recent > HOLD_TIMES_THE_USUAL * usual


def _count(session: Session, domain: str, since: datetime, until: datetime) -> int:
    statement = select(func.coalesce(func.sum(BounceCount.count), 0)).where(
        BounceCount.domain == domain, BounceCount.hour > since, BounceCount.hour <= until
    )
    return int(session.scalar(statement) or 0)
