"""Remove suppressions that bounces caused, in bulk, if a mail system was at fault (M13)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from preference_center.core import ledger
from preference_center.core.apply import apply
from preference_center.core.change import ChangeContext, Target
from preference_center.core.draft import Change, Draft
from preference_center.core.state import Subscriber
from preference_center.core.subscriptions import remove_suppression
from preference_center.core.vocab import SUPPRESSION_SCOPES, Event, Scope, Source
from preference_center.links.addresses import normalise
from preference_center.store import tables

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
    key = (tables.SuppressionRow.since, tables.SuppressionRow.subscriber_id)
    return (
        select(
            tables.SuppressionRow.subscriber_id,
            tables.SubscriberRow.email,
            tables.SuppressionRow.since,
        )
        .join(
            tables.SubscriberRow,
            tables.SubscriberRow.subscriber_id == tables.SuppressionRow.subscriber_id,
        )
        .where(
            tables.SuppressionRow.kind == kind,
            tables.SuppressionRow.source == Source.BOUNCE,
            tables.SuppressionRow.since < wanted.until,
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
    removals = [_Removal(each, kind, wanted, context) for each in dict.fromkeys(ids)]
    return sum(apply(session, removals, context.recorded_at))


@dataclass(frozen=True)
class _Removal(Change[bool]):
    """The removal of one suppression, for `apply`. The result says whether there was one."""

    kind: Scope
    wanted: BounceFilter
    context: ChangeContext

    def first_row(self, subscriber: Subscriber) -> int | None:
        return 1 if self.kind in subscriber.suppressions else None

    def make(self, draft: Draft) -> bool:
        if draft.subscriber.erased_at is not None or not self._is_removable(draft):
            return False
        remove_suppression(draft, self.kind, Event.LIFTED, self.context)
        return True

    def _is_removable(self, draft: Draft) -> bool:
        stop = draft.subscriber.suppressions.get(self.kind)
        if stop is None or stop.source is not Source.BOUNCE or stop.repeated_at is not None:
            return False
        if not self.wanted.since <= stop.since < self.wanted.until:
            return False
        # If the subscriber re-created this suppression by undoing a re-subscribe, it counts as
        # their own choice.
        made = ledger.last_of(draft.entries, Target(self.kind))
        return made is not None and not made.source.is_own
