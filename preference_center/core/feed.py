"""The feed: each change, announced to programs in one order without gaps.

A change writes an event in its transaction. After the commit, `number` gives the event its position
in the feed: the next one. Positions are the only order to read by. By a time, or by a number that
is given earlier, a reader would skip the events of a transaction that commits late.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from preference_center.core.api_vocab import EventName
from preference_center.core.errors import CursorExpiredError
from preference_center.core.vocab import Source
from preference_center.store import queries, sets
from preference_center.store.tables import STOPPED, UNNUMBERED, EventRow, Feed, FeedDay, LedgerRow

KEPT_FOR = timedelta(days=30)
BATCH_SIZE = 1000  # events that get their positions in one transaction
_FEED = 1  # The key of the one row.


@dataclass(frozen=True)
class FeedEvent:
    """An event with its position. `topic` and `campaign` are None once the subscriber is erased."""

    position: int
    subscriber_id: UUID
    seq: int
    name: EventName
    recorded_at: datetime
    topic: str | None
    campaign: str | None
    source: Source

    @property
    def id(self) -> str:
        """Return the id of the event, the same wherever it is delivered."""
        return f"{self.subscriber_id}-{self.seq}"

    def payload(self) -> dict[str, Any]:
        """Return what programs are told, as JSON values. It contains no address."""
        return {
            "id": self.id,
            "type": self.name.value,
            "timestamp": self.recorded_at.isoformat().replace("+00:00", "Z"),
            "data": {
                "subscriber_id": str(self.subscriber_id),
                "topic": self.topic,
                "campaign": self.campaign,
                "source": self.source.value,
                "seq": self.seq,
            },
        }


def read(session: Session, after: int, limit: int, now: datetime) -> list[FeedEvent]:
    """Return the events that follow a position, in their order.

    Raises:
        CursorExpiredError: events after that position were deleted, or it was never reached.
    """
    last = last_position(session)
    if not first_position(session, now) <= after <= last:
        raise CursorExpiredError("this cursor is older than the events that are kept")
    if after == last:
        return []
    statement = _EVENTS.where(EventRow.position > after, EventRow.position <= last)
    rows: Any = session.execute(statement.order_by(EventRow.position).limit(limit))
    events = [FeedEvent(*row) for row in rows]
    # A cluster may show the events of one server before those of another. They follow later.
    return [each for expected, each in enumerate(events, after + 1) if each.position == expected]


def find(session: Session, subscriber_id: UUID, seq: int) -> FeedEvent | None:
    """Return an event that has its position, or None."""
    numbered = EventRow.position.is_not(None)
    statement = _EVENTS.where(EventRow.subscriber_id == subscriber_id, EventRow.seq == seq)
    row: Any = session.execute(statement.where(numbered)).first()
    return FeedEvent(*row) if row is not None else None


def position_before(session: Session, since: datetime) -> int:
    """Return the position before the first event that was recorded at a time or later."""
    # A day earlier, because the clock of the process that gives positions may be behind.
    day = since.astimezone(UTC).date() - timedelta(days=1)
    start = session.scalar(select(func.max(FeedDay.position)).where(FeedDay.day < day)) or 0
    later = select(EventRow.position).where(EventRow.position > start)
    later = later.where(EventRow.recorded_at >= since).order_by(EventRow.position)
    first = session.scalars(later.limit(1)).first()
    return last_position(session) if first is None else first - 1


def first_position(session: Session, now: datetime) -> int:
    """Return the position before the first event that is kept."""
    return session.scalar(_last_expired(now)) or 0


def last_position(session: Session) -> int:
    """Return the position of the newest event."""
    return session.scalar(select(Feed.position).where(Feed.id == _FEED)) or 0


def is_expired(
    now: datetime, position: InstrumentedAttribute[Any] = EventRow.position
) -> ColumnElement[bool]:
    """Return the condition that a column is the position of an event that is no longer kept."""
    return position <= _last_expired(now).scalar_subquery()


def oldest_stop(session: Session, after: int) -> datetime | None:
    """Return when the first unsubscribe after a position was recorded, numbered or not, or None."""
    of_stops = select(EventRow.recorded_at).where(STOPPED)
    first = of_stops.where(EventRow.position > after).order_by(EventRow.position)
    waiting = of_stops.where(UNNUMBERED).order_by(EventRow.recorded_at)
    found = (session.scalars(each.limit(1)).first() for each in (first, waiting))
    return min((each for each in found if each is not None), default=None)


def oldest_unnumbered(session: Session) -> datetime | None:
    """Return when the oldest event that waits for its position was recorded, or None."""
    return session.scalar(select(func.min(EventRow.recorded_at)).where(UNNUMBERED))


def number(session: Session, now: datetime) -> int:
    """Give a batch of events the next positions, and return how many there were.

    The lock of the feed's row admits one transaction at a time; PostgreSQL releases it when the
    process that holds it is gone. While another process holds it, this returns 0.
    """
    feed = _locked(session)
    if feed is None or not _is_whole(session, feed.position, now):
        return 0
    rows = _in_order(_oldest(session))[:BATCH_SIZE]
    if rows:
        numbered = [(*row[:-1], at) for at, row in enumerate(rows, feed.position + 1)]
        sets.update(session, EventRow, numbered)
        feed.position += len(rows)
        sets.upsert(session, FeedDay, [(now.date(), feed.position)])
    return len(rows)


_EVENTS = select(
    EventRow.position,
    EventRow.subscriber_id,
    EventRow.seq,
    EventRow.name,
    EventRow.recorded_at,
    LedgerRow.topic,
    LedgerRow.campaign,
    LedgerRow.source,
).join(
    LedgerRow,
    and_(LedgerRow.subscriber_id == EventRow.subscriber_id, LedgerRow.seq == EventRow.seq),
)


def _locked(session: Session) -> Feed | None:
    """Return the feed's row with its lock, or None if another transaction holds it."""
    locked = select(Feed).where(Feed.id == _FEED).with_for_update(skip_locked=True)
    found = session.scalars(locked).first()
    if found is None and session.get(Feed, _FEED) is None:
        queries.insert_missing(session, Feed, [{"id": _FEED, "position": 0}])
        found = session.scalars(locked).first()
    return found


def _last_expired(now: datetime) -> Select[int]:
    return select(func.max(FeedDay.position)).where(FeedDay.day < (now - KEPT_FOR).date())


def _is_whole(session: Session, last: int, now: datetime) -> bool:
    """Return True if the events of the batch before can be seen, on all servers of a cluster.

    One that is committed but not seen yet would get a second position.
    """
    start = max(first_position(session, now), last - BATCH_SIZE)
    numbered = select(func.count()).select_from(EventRow)
    numbered = numbered.where(EventRow.position > start, EventRow.position <= last)
    return session.scalars(numbered).one() == last - start


def _oldest(session: Session) -> list[tuple[Any, ...]]:
    """Return the oldest events without a position, and all earlier ones of their subscribers."""
    oldest = select(EventRow.subscriber_id).where(UNNUMBERED).order_by(EventRow.recorded_at)
    ids = set(session.scalars(oldest.limit(BATCH_SIZE)))
    # Not in one statement with the condition: PostgreSQL expects few rows without a position, and
    # would read all of them for each subscriber.
    return [row for row in sets.select(session, EventRow, ids) if row[-1] is None]


def _in_order(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Sort events by time, but those of one subscriber by number.

    The times of one subscriber's events may be those of machines with different clocks.
    """
    latest: dict[UUID, datetime] = {}
    keys = []
    for row in sorted(rows, key=lambda row: (row[0], row[1])):
        subscriber_id, seq, _, recorded_at, _ = row
        latest[subscriber_id] = max(recorded_at, latest.get(subscriber_id, recorded_at))
        keys.append((latest[subscriber_id], subscriber_id, seq, row))
    return [row for *_, row in sorted(keys, key=lambda key: key[:3])]
