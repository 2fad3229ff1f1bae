"""What a failed delivery does (M13). What counts as permanent is told by `mail.bounce_policy`.

One permanent failure of an address ends the mail to it. Every other failure is counted by the day,
and ends it when it goes on for weeks. `docs/bounces.md` says the same in words.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from preference_center.addresses import normalise
from preference_center.core import consent, subscribers
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

# Whoever holds a mail can forge a report to its return path: that ends marketing alone. A
# provider's signed event, or our own mail server's refusal, ends every mail to the address.
Authority = Literal["return-path", "provider"]
Effect = Literal["stopped", "soft", "held", "again"]


@dataclass(frozen=True)
class Failed:
    """One failed delivery to one person. `code` is an enhanced status code (RFC 3463) or "".

    `domain` is that of the address, where whoever says so knows it.
    """

    permanent: bool
    code: str
    occurred_at: datetime
    authority: Authority
    domain: str = ""


def record(session: Session, subscriber_id: UUID, failed: Failed, now: datetime) -> Effect:
    """Do what a failure to deliver to somebody means, and return what that was."""
    subscriber = subscribers.lock(session, subscriber_id, now)
    act = consent.Act("bounce", failed.occurred_at, now)
    scope: consent.Scope = "all"
    if failed.permanent and failed.authority == "provider":
        scope = "address"
    if subscriber.erased_at is not None:
        return "again"
    if scope in subscriber.suppressions:
        if failed.permanent:
            consent.end_consent(session, subscriber, scope, act)  # notes that it was said again
        return "again"
    held = failed.permanent and _is_held(session, subscriber, failed, now)
    if held or not failed.permanent:
        if not _lasts(session, subscriber, failed):
            return "held" if held else "soft"
        scope = "all"
    consent.end_consent(session, subscriber, scope, act)
    forget = delete(SoftBounce).where(SoftBounce.subscriber_id == subscriber_id)
    session.execute(forget)
    return "stopped"


def _lasts(session: Session, subscriber: Subscriber, failed: Failed) -> bool:
    """Note a failure that may pass, once a day; tell whether it has gone on for too long."""
    day, person = failed.occurred_at.date(), subscriber.subscriber_id
    row = {"subscriber_id": person, "day": day, "code": failed.code}
    queries.insert_missing(session, SoftBounce, [row])
    days = select(func.count(), func.min(SoftBounce.day), func.max(SoftBounce.day)).where(
        SoftBounce.subscriber_id == person,
        SoftBounce.day > day - SOFT_WITHIN,
        SoftBounce.day <= day,
    )
    count, first, last = session.execute(days).one()
    return bool(count >= SOFT_DAYS and last - first >= SOFT_APART)


def _is_held(session: Session, subscriber: Subscriber, failed: Failed, now: datetime) -> bool:
    """Count a permanent failure of a domain; tell whether there are far more than usual."""
    domain = failed.domain or normalise(subscriber.email or "").rpartition("@")[2]
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
