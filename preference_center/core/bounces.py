"""Record bounces, and end email to addresses that keep bouncing (M13).

`mail.bounce_policy` decides how severe one bounce is, `core.bounce_rule` when a series of them
ends email, and `core.domain_hold` when a domain is not believed. `docs/bounces.md` describes the
rules in words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, bindparam, delete, or_, select, update
from sqlalchemy.orm import Session

from preference_center.core import bounce_rule, consent, domain_hold, recovery
from preference_center.core.bounce_rule import ABOUT_THE_MAILBOX, Evidence, Failure
from preference_center.core.change import Change, ChangeContext, Target
from preference_center.core.recovery import BounceFilter
from preference_center.core.vocab import (
    SUPPRESSION_SCOPES,
    BounceEffect,
    BounceSeverity,
    Cadence,
    Scope,
    Source,
    Status,
)
from preference_center.store import queries
from preference_center.store.tables import Claim, FailedMailing, Subscriber, Topic

# Each bounce of a held domain removes at most this many suppressions, to limit its run time.
MAX_TAKEN_BACK = 50

# Anyone who received one of our emails can forge a bounce to its return path, so such a bounce only
# stops marketing email. A provider's signed event stops all email to the address.
Authority = Literal["return-path", "provider"]


_Recorded = Row[date, BounceSeverity, str, str | None]  # day, severity, topic, ended_domain


@dataclass(frozen=True)
class Bounce:
    """One email to one subscriber that finally failed.

    `code` is an enhanced status code (RFC 3463) or "". `domain` is the
    recipient's domain if the reporter included it, else "". `topic` is that of the email, or None
    if the report does not say.
    """

    severity: BounceSeverity
    code: str
    occurred_at: datetime
    authority: Authority
    domain: str = ""
    topic: str | None = None


@dataclass(frozen=True)
class RecordBounce(Change[BounceEffect]):
    """A bounce of one subscriber, for `apply`."""

    bounce: Bounce
    now: datetime

    def make(self, session: Session, subscriber: Subscriber) -> BounceEffect:
        return record(session, subscriber, self.bounce, self.now)


def record(session: Session, subscriber: Subscriber, bounce: Bounce, now: datetime) -> BounceEffect:
    """Record a bounce, suppress the locked subscriber if the rules say so; return the effect."""
    if bounce.severity is BounceSeverity.IGNORED:
        return BounceEffect.IGNORED
    bounce = replace(bounce, occurred_at=min(bounce.occurred_at, now))  # clocks differ
    if subscriber.erased_at is not None:
        return BounceEffect.DUPLICATE
    permanent = bounce.severity is BounceSeverity.PERMANENT
    provider = bounce.authority == "provider"
    scope = Scope.ADDRESS if permanent and provider else Scope.ALL
    if scope in subscriber.suppressions:
        if permanent:
            _suppress(session, subscriber, scope, bounce, now)  # Records the repeat.
        return BounceEffect.DUPLICATE
    return _count(session, subscriber, bounce, scope, now)


def record_deliveries(session: Session, days: Mapping[UUID, date]) -> None:
    """Note the day (UTC) on which an email was delivered to each subscriber who is on record."""
    table = Subscriber.__table__.c
    newest = (
        update(Subscriber.__table__)  # type: ignore[arg-type]
        .where(
            table.subscriber_id == bindparam("id"),
            table.erased_at.is_(None),
            or_(table.delivered_on.is_(None), table.delivered_on < bindparam("on")),
        )
        .values(delivered_on=bindparam("on"))
    )
    if days:
        session.execute(newest, [{"id": each, "on": days[each]} for each in sorted(days)])


def _count(
    session: Session, subscriber: Subscriber, bounce: Bounce, scope: Scope, now: datetime
) -> BounceEffect:
    """Count a failed mailing, or suppress the subscriber if it exceeds the limit."""
    rows, new = _recorded(session, subscriber, now), _row(subscriber, bounce)
    earlier, failure, evidence = _history(session, subscriber, rows, new, now)
    domain, held = "", False
    if bounce.severity in ABOUT_THE_MAILBOX:
        domain = bounce.domain or domain_hold.domain_of(subscriber.email or "")
        if domain and _is_newly_missing(rows, earlier, evidence, now):
            domain_hold.count_failure(session, domain, now)
        held = domain != "" and domain_hold.is_held(session, domain, now)
        if held:
            _take_back(session, domain, now)
    scope = Scope.ALL if held else scope
    ended = bounce_rule.ends(earlier, failure, evidence, _day(now), held=held)
    if not ended or scope in subscriber.suppressions:
        queries.insert_missing(session, FailedMailing, [new])
        missing = bounce.severity in ABOUT_THE_MAILBOX
        return BounceEffect.QUARANTINED if missing else BounceEffect.SOFT
    _suppress(session, subscriber, scope, bounce, now)
    if rows:
        person = FailedMailing.subscriber_id == subscriber.subscriber_id
        session.execute(delete(FailedMailing).where(person))
    if domain and not held:
        queries.insert_missing(session, FailedMailing, [{**new, "ended_domain": domain}])
    return BounceEffect.SUPPRESSED


def _suppress(
    session: Session, subscriber: Subscriber, scope: Scope, bounce: Bounce, now: datetime
) -> None:
    context = ChangeContext(Source.BOUNCE, bounce.occurred_at, now)
    consent.end_consent(session, subscriber, Target(scope), context)


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _row(subscriber: Subscriber, bounce: Bounce) -> dict[str, Any]:
    return {
        "subscriber_id": subscriber.subscriber_id,
        "day": _day(bounce.occurred_at),
        "severity": bounce.severity,
        "topic": bounce.topic or "",
        "code": bounce.code,
        "ended_domain": None,
    }


def _recorded(session: Session, subscriber: Subscriber, now: datetime) -> Sequence[_Recorded]:
    """Return the failed mailings of the last half year, including those that ended email."""
    statement = select(
        FailedMailing.day,
        FailedMailing.severity,
        FailedMailing.topic,
        FailedMailing.ended_domain,
    ).where(
        FailedMailing.subscriber_id == subscriber.subscriber_id,
        FailedMailing.day > _day(now) - bounce_rule.WINDOW,
    )
    return session.execute(statement).all()


def _history(
    session: Session,
    subscriber: Subscriber,
    rows: Sequence[_Recorded],
    new: dict[str, Any],
    now: datetime,
) -> tuple[list[Failure], Failure, Evidence]:
    """Return the earlier failures, the new one, and what is known of other emails.

    Claims and cadences are read only if they could change what the failures mean.
    """
    counted = [row for row in rows if row.ended_domain is None]
    days = {row.day for row in counted} | {new["day"]}
    long, windows, claims = len(days) >= bounce_rule.MIN_FAILED_MAILINGS, {}, set()
    if long or any(row.severity in ABOUT_THE_MAILBOX for row in counted):
        claims = _claims(session, subscriber, now)
    if long:
        windows = _windows(session, subscriber, {new["topic"], *(row.topic for row in counted)})
    default = windows.get("", bounce_rule.CADENCE_WINDOWS[Cadence.IRREGULAR])
    earlier = [Failure(row.day, row.severity, windows.get(row.topic, default)) for row in counted]
    failure = Failure(new["day"], new["severity"], windows.get(new["topic"], default))
    return earlier, failure, Evidence(claims, subscriber.delivered_on)


def _claims(session: Session, subscriber: Subscriber, now: datetime) -> set[date]:
    """Return the days on which an email of any topic was claimed and not released."""
    oldest = now - bounce_rule.WINDOW - bounce_rule.CLAIM_SETTLES_AFTER
    statement = select(Claim.claimed_at).where(
        Claim.subscriber_id == subscriber.subscriber_id,
        Claim.claimed_at > oldest,
        Claim.released_at.is_(None),
    )
    return set(map(_day, session.scalars(statement)))


def _windows(session: Session, subscriber: Subscriber, topics: set[str]) -> dict[str, timedelta]:
    """Return for how long a failure of each topic counts.

    The value under "" is the shortest of the topics that the subscriber receives: an email of
    unknown topic may be of any of them, and a longer window would suppress healthy readers of the
    most frequent one.
    """
    held = subscriber.subscriptions.items()
    received = {slug for slug, subscription in held if subscription.status is Status.SUBSCRIBED}
    statement = select(Topic.slug, Topic.cadence).where(Topic.slug.in_(sorted(topics | received)))
    windows = {
        slug: bounce_rule.CADENCE_WINDOWS[cadence] for slug, cadence in session.execute(statement)
    }
    shortest = min(
        (windows[slug] for slug in received), default=bounce_rule.CADENCE_WINDOWS[Cadence.IRREGULAR]
    )
    return {**windows, "": shortest}


def _is_newly_missing(
    rows: Sequence[_Recorded], earlier: Sequence[Failure], evidence: Evidence, now: datetime
) -> bool:
    """Return True if the mailbox was not reported missing before.

    A repeat must not count towards a hold: dead addresses that were quarantined together would
    hold their domain again with each mailing.
    """
    counted = bounce_rule.after_reset(earlier, evidence, _day(now))
    reported = any(failure.severity in ABOUT_THE_MAILBOX for failure in counted)
    return not reported and all(row.ended_domain is None for row in rows)


def _take_back(session: Session, domain: str, now: datetime) -> None:
    """Remove suppressions by bounces from before the domain was held; quarantine the failures."""
    since = _day(now - domain_hold.WINDOW)
    recent = FailedMailing.ended_domain == domain, FailedMailing.day >= since
    ended = select(FailedMailing.subscriber_id).where(*recent)
    found = session.scalars(ended.order_by(FailedMailing.subscriber_id).limit(MAX_TAKEN_BACK))
    # This transaction has locked a subscriber already, so it must not wait for other locks. The
    # next bounce handles subscribers that another transaction has locked.
    ids = queries.lock_available(session, found.all())
    if not ids:
        return
    within = BounceFilter(domain, datetime.combine(since, time(), UTC), now + timedelta.resolution)
    context = ChangeContext(Source.BOUNCE, now, now)
    for kind in SUPPRESSION_SCOPES:
        recovery.remove_suppressions(session, kind, ids, within, context)
    quarantined = update(FailedMailing).where(FailedMailing.subscriber_id.in_(ids), *recent)
    session.execute(quarantined.values(ended_domain=None))
