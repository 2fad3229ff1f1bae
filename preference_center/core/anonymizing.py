"""Old reasons: they lose the subscriber, the rarely named campaign, and later their text."""

from collections import Counter
from datetime import datetime
from uuid import uuid4

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session

from preference_center.core.purging import Condition, Retention, batch
from preference_center.core.reasons import week_of
from preference_center.store.tables import AnonymizedReason, Reason

MIN_REASONS_OF_A_CAMPAIGN = 5  # Fewer reasons than that could identify a subscriber.


def anonymize(session: Session, before: datetime) -> int:
    """Detach reasons given before a time from their subscribers, and from rarely named campaigns.

    Return how many reasons there were, at most a batch.
    """
    old = Reason.given_at < before
    deleted = delete(Reason).where(batch(session, Reason, old), old)
    # Two runs at once must not copy a row twice, so each copies what it has deleted.
    found = session.scalars(deleted.returning(Reason)).all()
    shared = _shared_campaigns(session, Counter(reason.campaign for reason in found))
    for reason in found:
        session.add(
            AnonymizedReason(
                id=uuid4(),
                week=reason.week,
                topic=reason.topic,
                campaign=reason.campaign if reason.campaign in shared else None,
                code=reason.code,
                note=reason.note,
            )
        )
    session.flush()
    return len(found)


def delete_texts(session: Session, keep: Retention, now: datetime) -> int:
    """Empty the texts of at most a batch of old anonymized reasons; return how many."""
    old = _is_old_text(AnonymizedReason, keep, now)
    emptied = update(AnonymizedReason).where(batch(session, AnonymizedReason, old), old)
    return len(session.scalars(emptied.values(note="").returning(AnonymizedReason.id)).all())


def is_old(keep: Retention, now: datetime) -> Condition:
    """Return the condition of the reasons whose subscribers are no longer kept."""
    return Reason.given_at < now - keep.reason_identities


def old_texts(keep: Retention, now: datetime) -> list[Condition]:
    """Return the conditions of old texts, also of reasons that this run anonymizes."""
    anonymized = and_(is_old(keep, now), _is_old_text(Reason, keep, now))
    return [_is_old_text(AnonymizedReason, keep, now), anonymized]


def _is_old_text(
    table: type[Reason | AnonymizedReason], keep: Retention, now: datetime
) -> Condition:
    return and_(table.week < week_of(now - keep.reason_notes), table.note != "")


def _shared_campaigns(session: Session, deleted: Counter[str | None]) -> set[str | None]:
    """Return the campaigns that at least five reasons name, anonymized or not.

    `deleted` are the campaigns of reasons that are no longer on record.
    """
    counts, names = deleted.copy(), deleted.keys() - {None}
    del counts[None]
    for table in (Reason, AnonymizedReason):
        named = select(table.campaign, func.count()).where(table.campaign.in_(names))
        for name, count in session.execute(named.group_by(table.campaign)):
            counts[name] += count
    return {name for name, count in counts.items() if count >= MIN_REASONS_OF_A_CAMPAIGN}
