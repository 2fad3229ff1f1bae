"""Forget what is no longer needed, table by table, in steps that are short (requirement P12)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from preference_center.core import bounce_rule, domain_hold
from preference_center.core.reasons import week_of
from preference_center.store.tables import (
    AnonymizedReason,
    Base,
    BounceCount,
    Claim,
    ClaimCount,
    FailedMailing,
    InboundSeen,
    OutboxRow,
    QuarantineRow,
    Reason,
)

ROWS_AT_A_TIME = 1000
MIN_REASONS_OF_A_CAMPAIGN = 5  # fewer reasons than that could point at somebody


@dataclass(frozen=True)
class Retention:
    """For how long each thing is kept."""

    outbox: timedelta = timedelta(days=30)
    claims: timedelta = timedelta(days=396)  # 13 months
    reason_identities: timedelta = timedelta(days=90)
    reason_notes: timedelta = timedelta(days=365)
    quarantine: timedelta = timedelta(days=14)
    dedup: timedelta = timedelta(days=14)
    domain_counts: timedelta = domain_hold.BASELINE


Step = Callable[[Session, Retention, datetime], int]


def mails(session: Session, keep: Retention, now: datetime) -> int:
    """Forget mails that were sent, failed or dropped; return how many, as each step does."""
    keys = (OutboxRow.subscriber_id, OutboxRow.id)
    return _forget(session, OutboxRow, keys, _old_mail(keep, now))


def claims(session: Session, keep: Retention, now: datetime) -> int:
    """Forget claims that no cap counts any more."""
    keys = (Claim.subscriber_id, Claim.topic, Claim.campaign)
    return _forget(session, Claim, keys, _old_claim(keep, now))


def anonymize_reasons(session: Session, keep: Retention, now: datetime) -> int:
    """Take the person off reasons, and the campaign where fewer than five share it."""
    old = select(Reason).where(_old_reason(keep, now)).order_by(Reason.given_at)
    # Of two that run at once, each row is one's alone: else it would be kept twice.
    locked = old.limit(ROWS_AT_A_TIME).with_for_update(skip_locked=True)
    found = list(session.scalars(locked))
    shared = _shared_campaigns(session, {reason.campaign for reason in found} - {None})
    for reason in found:
        campaign = reason.campaign if reason.campaign in shared else None
        session.add(
            AnonymizedReason(
                id=uuid4(),
                week=reason.week,
                topic=reason.topic,
                campaign=campaign,
                code=reason.code,
                note=reason.note,
            )
        )
        session.delete(reason)
    session.flush()
    return len(found)


def reason_notes(session: Session, keep: Retention, now: datetime) -> int:
    """Take the free text off old reasons."""
    old = select(AnonymizedReason.id).where(_old_note(AnonymizedReason, keep, now))
    ids = list(session.scalars(old.limit(ROWS_AT_A_TIME).with_for_update(skip_locked=True)))
    session.execute(update(AnonymizedReason).where(AnonymizedReason.id.in_(ids)).values(note=""))
    return len(ids)


def unread(session: Session, keep: Retention, now: datetime) -> int:
    """Forget messages that came in and that nobody understood."""
    return _forget(session, QuarantineRow, (QuarantineRow.digest,), _old_unread(keep, now))


def seen(session: Session, keep: Retention, now: datetime) -> int:
    """Forget which mails and events came in: one that comes again after that is a new one."""
    return _forget(session, InboundSeen, (InboundSeen.digest,), _old_seen(keep, now))


def bounces(session: Session, keep: Retention, now: datetime) -> int:
    """Forget failed mailings that no rule counts any more."""
    keys = (
        FailedMailing.subscriber_id,
        FailedMailing.day,
        FailedMailing.severity,
        FailedMailing.topic,
    )
    return _forget(session, FailedMailing, keys, _old_bounce(keep, now))


def bounce_counts(session: Session, keep: Retention, now: datetime) -> int:
    """Forget how many addresses of each domain bounced."""
    keys = (BounceCount.domain, BounceCount.hour)
    return _forget(session, BounceCount, keys, _old_bounce_count(keep, now))


def claim_counts(session: Session, keep: Retention, now: datetime) -> int:
    """Forget how many emails were claimed for each domain."""
    keys = (ClaimCount.domain, ClaimCount.day)
    return _forget(session, ClaimCount, keys, _old_claim_count(keep, now))


STEPS: dict[str, Step] = {
    "mails": mails,
    "claims": claims,
    "reasons that lost their person": anonymize_reasons,
    "reasons that lost their text": reason_notes,
    "messages that nobody understood": unread,
    "digests of what came in": seen,
    "failed mailings": bounces,
    "bounces counted by domain": bounce_counts,
    "claims counted by domain": claim_counts,
}


def due(session: Session, keep: Retention, now: datetime) -> dict[str, int]:
    """Return how much each of `STEPS` would forget, run to its end, and forget nothing."""
    reason = _old_reason(keep, now)
    # In the order of `STEPS`; what loses its person today may be old enough to lose its text.
    counted = (
        (_old_mail(keep, now),),
        (_old_claim(keep, now),),
        (reason,),
        (_old_note(AnonymizedReason, keep, now), and_(reason, _old_note(Reason, keep, now))),
        (_old_unread(keep, now),),
        (_old_seen(keep, now),),
        (_old_bounce(keep, now),),
        (_old_bounce_count(keep, now),),
        (_old_claim_count(keep, now),),
    )
    counts = (
        sum(session.scalars(select(func.count()).where(old)).one() for old in olds)
        for olds in counted
    )
    return dict(zip(STEPS, counts, strict=True))


def _old_mail(keep: Retention, now: datetime) -> ColumnElement[bool]:
    return OutboxRow.settled_at < now - keep.outbox


def _old_claim(keep: Retention, now: datetime) -> ColumnElement[bool]:
    return Claim.claimed_at < now - keep.claims


def _old_unread(keep: Retention, now: datetime) -> ColumnElement[bool]:
    return QuarantineRow.received_at < now - keep.quarantine


def _old_seen(keep: Retention, now: datetime) -> ColumnElement[bool]:
    return InboundSeen.seen_at < now - keep.dedup


def _old_bounce(_keep: Retention, now: datetime) -> ColumnElement[bool]:
    return FailedMailing.day <= (now - bounce_rule.WINDOW).date()


def _old_bounce_count(keep: Retention, now: datetime) -> ColumnElement[bool]:
    return BounceCount.hour <= now - keep.domain_counts


def _old_claim_count(keep: Retention, now: datetime) -> ColumnElement[bool]:
    return ClaimCount.day < (now - keep.domain_counts).date()


def _old_reason(keep: Retention, now: datetime) -> ColumnElement[bool]:
    return Reason.given_at < now - keep.reason_identities


def _old_note(
    table: type[Reason | AnonymizedReason], keep: Retention, now: datetime
) -> ColumnElement[bool]:
    return and_(table.week < week_of(now - keep.reason_notes), table.note != "")


def _forget(session: Session, table: type[Base], keys: tuple[Any, ...], old: Any) -> int:
    # What another transaction holds is left to the next run: this one waits for nothing.
    wanted = select(*keys).where(old).limit(ROWS_AT_A_TIME).with_for_update(skip_locked=True)
    found = session.execute(wanted).all()
    rows = [tuple(row) for row in found]
    session.execute(delete(table).where(tuple_(*keys).in_(rows)))
    return len(rows)


def _shared_campaigns(session: Session, campaigns: set[str | None]) -> set[str | None]:
    """Return those of `campaigns` that at least five reasons name, with or without a person."""
    counts: Counter[str | None] = Counter()
    for table in (Reason, AnonymizedReason):
        named = select(table.campaign, func.count()).where(table.campaign.in_(campaigns))
        for name, count in session.execute(named.group_by(table.campaign)):
            counts[name] += count
    return {name for name, count in counts.items() if count >= MIN_REASONS_OF_A_CAMPAIGN}
