"""Lift in bulk what failed deliveries have stopped, where a mail system was at fault (M13)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from preference_center.core import ledger, subscribers, subscriptions
from preference_center.core.consent import ChangeContext
from preference_center.core.outbox import OWN_SOURCES
from preference_center.links.addresses import normalise
from preference_center.store.tables import Subscriber, Suppression

PEOPLE_AT_A_TIME = 500


@dataclass(frozen=True)
class BounceFilter:
    """The stops by bounces of one domain's addresses, from `since` to before `until`."""

    domain: str
    since: datetime
    until: datetime

    def of(self, email: str | None) -> bool:
        """Tell whether an address is of the domain, however either is spelt."""
        wanted = normalise(f"x@{self.domain}")
        return normalise(email or "").rpartition("@")[2] == wanted.rpartition("@")[2]


def find_suppressed(session: Session, stops: BounceFilter) -> Iterator[tuple[str, list[UUID]]]:
    """Yield a kind of stop and people whom it holds, batch by batch; nothing is locked."""
    for kind in ("all", "address"):
        last = (stops.since, UUID(int=0))
        while rows := session.execute(_next(kind, stops, last)).all():
            yield kind, [person for person, email, _ in rows if stops.of(email)]
            last = (rows[-1].since, rows[-1].subscriber_id)


def _next(
    kind: str, stops: BounceFilter, last: tuple[datetime, UUID]
) -> Select[UUID, str | None, datetime]:
    key = (Suppression.since, Suppression.subscriber_id)
    return (
        select(Suppression.subscriber_id, Subscriber.email, Suppression.since)
        .join(Subscriber, Subscriber.subscriber_id == Suppression.subscriber_id)
        .where(
            Suppression.kind == kind,
            Suppression.source == "bounce",
            Suppression.since < stops.until,
            tuple_(*key) > last,
        )
        .order_by(*key)
        .limit(PEOPLE_AT_A_TIME)
    )


def remove_suppressions(
    session: Session, kind: str, ids: Iterable[UUID], stops: BounceFilter, context: ChangeContext
) -> int:
    """Lift the stops of one kind of these people; return how many there were.

    One that somebody has said again since, in another way, stays: it is theirs by now.
    """
    lifted = 0
    for person in subscribers.lock_all(session, ids, context.recorded_at).values():
        stop = person.suppressions.get(kind)
        if stop and person.erased_at is None and _is_liftable(session, stop, stops):
            subscriptions.remove_suppression(session, person, kind, "lifted", context)
            lifted += 1
    return lifted


def _is_liftable(session: Session, stop: Suppression, stops: BounceFilter) -> bool:
    within = stops.since <= stop.since < stops.until
    if stop.source != "bounce" or stop.repeated_at is not None or not within:
        return False
    # Who undid what had ended it has put it back: it is theirs.
    made = ledger.last_of(session, stop.subscriber_id, stop.kind, None)
    return made is not None and made.source not in OWN_SOURCES
