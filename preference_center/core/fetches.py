"""Record until when senders have fetched unsubscribes, by an audience check or an export.

An audience check of a topic fetches the unsubscribes from that topic, the ones from everything
included. An export of preferences fetches the unsubscribes from topics, and an export of
suppressions those from everything and, if it is for one topic, those from that topic.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, bindparam, select, union_all
from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.vocab import FetchKind
from preference_center.store import queries
from preference_center.store.tables import UNSUBSCRIBED, Fetch, LedgerRow

EVERYTHING = ""  # instead of a topic
# A row may be committed some time after the time that it records, and by a machine with another
# clock.
MARGIN = timedelta(minutes=1)
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_AT_ONCE = 100  # topics in one statement; SQLite refuses more than 500

_Seen = Mapping[tuple[FetchKind, str], datetime]


def record(
    session: Session,
    kind: FetchKind,
    topic: str,
    began_at: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> None:
    """Record that a fetch, which began at `began_at`, has seen unsubscribes from `topic`.

    An export that is limited to times from `since` or before `until` counts only if it continues
    an earlier one without a gap.
    """
    seen_until = min(until or began_at, began_at) - MARGIN
    if since is not None:
        earlier = session.get(Fetch, (kind, topic))
        if earlier is None or earlier.seen_until < since:
            return
    statement = queries.insert(session, Fetch)
    statement = statement.on_conflict_do_update(
        index_elements=list(Fetch.__table__.primary_key),
        set_={"seen_until": statement.excluded.seen_until},
        where=Fetch.seen_until < statement.excluded.seen_until,
    )
    session.execute(statement, {"kind": kind, "topic": topic, "seen_until": seen_until})


def oldest_unfetched(session: Session) -> datetime | None:
    """Return when the oldest unsubscribe that no sender has fetched yet was recorded, or None.

    Unsubscribes that came from an import, and bounces, do not count. One from everything is fetched
    when it was exported, or when there was an audience check of every topic since.
    """
    seen = {(each.kind, each.topic): each.seen_until for each in session.scalars(select(Fetch))}
    active = topics.active(session)
    after = _everything_seen(seen, active)
    found = list(session.scalars(_FIRST_OF_EVERYTHING, {"after": after}))
    for begin in range(0, len(active), _AT_ONCE):
        some = active[begin : begin + _AT_ONCE]
        values: dict[str, Any] = {f"topic{n}": topic for n, topic in enumerate(some)}
        values |= {f"after{n}": _topic_seen(seen, topic) for n, topic in enumerate(some)}
        found += session.scalars(_first_of_topics(len(some)), values)
    return min(found, default=None)


def _topic_seen(seen: _Seen, topic: str) -> datetime:
    keys = [(kind, topic) for kind in FetchKind] + [(FetchKind.PREFERENCES, EVERYTHING)]
    return max((seen[key] for key in keys if key in seen), default=_BEGINNING)


def _everything_seen(seen: _Seen, active: Sequence[str]) -> datetime:
    asked = [seen.get((FetchKind.AUDIENCE, topic), _BEGINNING) for topic in active]
    exported = seen.get((FetchKind.SUPPRESSIONS, EVERYTHING), _BEGINNING)
    return max(exported, min(asked, default=_BEGINNING))


def _first(is_of_topic: ColumnElement[bool], after: str) -> Select[datetime]:
    """Return the query of the first unsubscribe since a time: one entry of an index."""
    found = select(LedgerRow.recorded_at).where(
        UNSUBSCRIBED, is_of_topic, LedgerRow.recorded_at >= bindparam(after)
    )
    # The order of the index: PostgreSQL would sort by `recorded_at` alone where the topic is NULL.
    return found.order_by(LedgerRow.topic, LedgerRow.recorded_at).limit(1)


_FIRST_OF_EVERYTHING = _first(LedgerRow.topic.is_(None), "after")


@cache  # Building it takes longer than the database needs to answer.
def _first_of_topics(count: int) -> CompoundSelect[datetime]:
    """Return the query of the first unsubscribes from some topics: those that there are."""
    each = (_first(LedgerRow.topic == bindparam(f"topic{n}"), f"after{n}") for n in range(count))
    # SQLite has LIMIT in subqueries only, not in the parts of a UNION.
    return union_all(*(select(one.subquery().c.recorded_at) for one in each))
