"""Remove suppressions that bounces caused, in bulk, if a mail system was at fault (M13)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from preference_center.core import ledger, subscribers, subscriptions
from preference_center.core.change import ChangeContext, Target
from preference_center.core.vocab import SUPPRESSION_SCOPES, Event, Scope, Source
from preference_center.links.addresses import normalise
from preference_center.store.tables import Subscriber, Suppression

BATCH_SIZE = 500


@dataclass(frozen=True)
class BounceFilter:
    """Selects suppressions by bounces of one domain's addresses, from `since` to before `until`."""

    domain: str
    since: datetime
    until: datetime

    def covers(self, email: str | None) -> bool:
        """Return True if the address is at the domain; the spelling of either does not matter."""
        wanted = normalise(f"x@{self.domain}")
        return normalise(email or "").rpartition("@")[2] == wanted.rpartition("@")[2]


def find_suppressed(session: Session, wanted: BounceFilter) -> Iterator[tuple[Scope, list[UUID]]]:
    """Yield batches of subscriber ids, each with the kind of suppression. Nothing is locked."""
    for kind in SUPPRESSION_SCOPES:
        last = (wanted.since, UUID(int=0))
        while rows := session.execute(_next(kind, wanted, last)).all():
            yield kind, [subscriber_id for subscriber_id, email, _ in rows if wanted.covers(email)]
            last = (rows[-1].since, rows[-1].subscriber_id)


def _next(
    kind: Scope, wanted: BounceFilter, last: tuple[datetime, UUID]
) -> Select[UUID, str | None, datetime]:
    key = (Suppression.since, Suppression.subscriber_id)
    return (
        select(Suppression.subscriber_id, Subscriber.email, Suppression.since)
        .join(Subscriber, Subscriber.subscriber_id == Suppression.subscriber_id)
        .where(
            Suppression.kind == kind,
            Suppression.source == Source.BOUNCE,
            Suppression.since < wanted.until,
            tuple_(*key) > last,
        )
        .order_by(*key)
        .limit(BATCH_SIZE)
    )


def remove_suppressions(
    session: Session, kind: Scope, ids: Iterable[UUID], wanted: BounceFilter, context: ChangeContext
) -> int:
    """Remove the suppressions of one kind of these subscribers; return how many there were.

    A suppression that was repeated through another channel since then stays.
    """
    removed = 0
    for subscriber in subscribers.lock_all(session, ids, context.recorded_at).values():
        stop = subscriber.suppressions.get(kind)
        if stop and subscriber.erased_at is None and _is_removable(session, stop, wanted):
            subscriptions.remove_suppression(session, subscriber, kind, Event.LIFTED, context)
            removed += 1
    return removed


def _is_removable(session: Session, stop: Suppression, wanted: BounceFilter) -> bool:
    within = wanted.since <= stop.since < wanted.until
    if stop.source is not Source.BOUNCE or stop.repeated_at is not None or not within:
        return False
    # If the subscriber re-created this suppression by undoing a re-subscribe, it counts as their
    # own choice.
    made = ledger.last_of(session, stop.subscriber_id, Target(stop.kind))
    return made is not None and not made.source.is_own
