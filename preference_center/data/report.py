"""Count page views, unsubscribes, reductions and reasons by topic and campaign.

Only changes that subscribers made themselves are counted. No subscriber is named. Memory use
depends on the number of topics and campaigns, not on the number of subscribers.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core.vocab import OWN_SOURCES, Event, ReasonCode, Scope
from preference_center.store import report_queries
from preference_center.store.report_queries import ReportFilter

EVENT_COLUMNS = ("opened", "left", "reduced", "paused", "undone", "came_back", "left_after_less")
REASONS = {f"reason_{code}": code for code in ReasonCode}
COLUMNS = ("topic", "campaign", *EVENT_COLUMNS, *REASONS)
SOON_AFTER = timedelta(days=30)  # An unsubscribe within this time counts as `left_after_less`.

# Event and scope of a ledger row -> the column that counts it.
_COUNTED = {
    (Event.UNSUBSCRIBED, Scope.TOPIC): "left",
    (Event.UNSUBSCRIBED, Scope.ALL): "left",
    (Event.REDUCED, Scope.TOPIC): "reduced",
    (Event.PAUSED, Scope.TOPIC): "paused",
    (Event.UNDONE, Scope.TOPIC): "undone",
    (Event.UNDONE, Scope.ALL): "undone",
    (Event.RESUBSCRIBED, Scope.TOPIC): "came_back",
}
_LESS = (Event.REDUCED, Event.PAUSED)
_FETCH_SIZE = 1000

_Key = tuple[str, str]


@dataclass(frozen=True)
class ReportRow:
    """The counts of one topic ("" for all topics at once) and one campaign ("" for none)."""

    topic: str
    campaign: str
    counts: Counter[str]

    def cells(self) -> dict[str, str | int]:
        """Return a value for each of `COLUMNS`."""
        numbers = {name: self.counts[name] for name in (*EVENT_COLUMNS, *REASONS)}
        return {"topic": self.topic, "campaign": self.campaign, **numbers}


def rows(
    session: Session,
    *,
    topic: str | None = None,
    campaign: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[ReportRow]:
    """Return the report on changes that were recorded from the day of `since` to that of `until`.

    Days are in UTC; `until` itself is not included. Rows are in the order of topic and campaign;
    those for all topics at once come last.

    `left_after_less` counts the subscribers who reduced or paused on these days and unsubscribed
    within 30 days, even if that was after `until`.
    """
    selected = ReportFilter(topic, campaign, since, until)
    counts: dict[_Key, Counter[str]] = defaultdict(Counter)
    for key, column, count in _counts(session, selected):
        counts[key][column] += count
    for keys in _left_soon_after_less(session, selected):
        for key in keys:
            counts[key]["left_after_less"] += 1
    in_order = sorted(counts, key=lambda key: (key[0] == "", key))
    return [ReportRow(*key, counts[key]) for key in in_order]


@dataclass(frozen=True)
class Stayed:
    """How many people came to leave, took less instead, and left soon after that.

    Each person counts once for a topic. `came` includes the others.
    """

    came: int
    took_less: int
    left_later: int

    def __add__(self, other: "Stayed") -> "Stayed":
        return Stayed(
            self.came + other.came,
            self.took_less + other.took_less,
            self.left_later + other.left_later,
        )


def stayed(session: Session) -> dict[str, Stayed]:
    """Return for each topic how many of those who came to leave it took less instead."""
    later = Counter(
        topic
        for keys in _left_soon_after_less(session, ReportFilter())
        for topic in {topic for topic, _ in keys}
    )
    found = session.execute(report_queries.people(_LESS, OWN_SOURCES))
    return {topic: Stayed(came, less, later[topic]) for topic, came, less in found}


def emailed(session: Session) -> dict[tuple[str, str], int]:
    """Return how many emails of each topic and campaign were claimed."""
    return {(row[0], row[1]): row[2] for row in session.execute(report_queries.claims())}


def total(report: Iterable[ReportRow]) -> Counter[str]:
    """Return the sums of the counts of some rows."""
    counts: Counter[str] = Counter()
    for row in report:
        counts.update(row.counts)
    return counts


def _counts(session: Session, selected: ReportFilter) -> Iterator[tuple[_Key, str, int]]:
    for topic, campaign, count in _stream(session, report_queries.page_views(selected)):
        yield (topic, campaign), "opened", count
    events = {event for event, _ in _COUNTED}
    for topic, campaign, event, scope, count in _stream(
        session, report_queries.events(selected, events, OWN_SOURCES)
    ):
        if (event, scope) in _COUNTED:
            yield (topic, campaign), _COUNTED[event, scope], count
    for topic, campaign, code, count in _stream(session, report_queries.reasons(selected)):
        yield _key(topic, campaign), f"reason_{code}", count


def _left_soon_after_less(session: Session, selected: ReportFilter) -> Iterator[set[_Key]]:
    """Yield for each subscriber topic and campaign of the reductions that they left soon after."""
    found = _stream(session, report_queries.left_after(selected, _LESS, OWN_SOURCES))
    for _, of_subscriber in groupby(found, key=lambda row: row.subscriber_id):
        yield {
            _key(row.topic, row.campaign)
            for row in of_subscriber
            if timedelta(0) <= row.left_at - row.asked_at <= SOON_AFTER
        }


def _stream(session: Session, query: report_queries.AnySelect) -> Iterator[Any]:
    return iter(session.execute(query.execution_options(yield_per=_FETCH_SIZE)))


def _key(topic: str | None, campaign: str | None) -> _Key:
    return topic or "", campaign or ""
