"""Record until when senders have fetched unsubscribes, by an audience check or an export.

An audience check of a topic fetches the unsubscribes from that topic, the ones from everything
included. An export of preferences fetches the unsubscribes from topics, and an export of
suppressions those from everything and, if it is for one topic, those from that topic.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, select, union_all
from sqlalchemy.orm import Session

from preference_center.core.vocab import FetchKind
from preference_center.store import queries
from preference_center.store.tables import UNSUBSCRIBED, Fetch, LedgerRow, Topic

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
    active = session.scalars(select(Topic.slug).where(Topic.archived_at.is_(None))).all()
    wanted = [_first(None, _everything_seen(seen, active))]
    wanted += [_first(topic, _topic_seen(seen, topic)) for topic in active]
    some = (wanted[begin : begin + _AT_ONCE] for begin in range(0, len(wanted), _AT_ONCE))
    return min((at for each in some for at in session.scalars(union_all(*each))), default=None)


def _topic_seen(seen: _Seen, topic: str) -> datetime | None:
    keys = [(kind, topic) for kind in FetchKind] + [(FetchKind.PREFERENCES, EVERYTHING)]
    return max((seen[key] for key in keys if key in seen), default=None)


def _everything_seen(seen: _Seen, active: Sequence[str]) -> datetime | None:
    asked = [seen.get((FetchKind.AUDIENCE, topic)) for topic in active]
    by_all = min((each for each in asked if each is not None), default=None)
    times = [seen.get((FetchKind.SUPPRESSIONS, EVERYTHING)), None if None in asked else by_all]
    return max((each for each in times if each is not None), default=None)


def _first(topic: str | None, after: datetime | None) -> Select[datetime]:
    """Return the query of the first unsubscribe since a time: one entry of an index."""
    statement = select(LedgerRow.recorded_at).where(
        UNSUBSCRIBED, LedgerRow.topic == topic, LedgerRow.recorded_at >= (after or _BEGINNING)
    )
    # The order of the index: PostgreSQL would sort by `recorded_at` alone where the topic is NULL.
    ordered = statement.order_by(LedgerRow.topic, LedgerRow.recorded_at)
    return select(ordered.limit(1).subquery().c.recorded_at)  # SQLite has no LIMIT in a UNION.
