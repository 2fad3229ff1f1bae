"""Read the counts of the report from the daily counts, and put each under its row.

No subscriber is named. Memory use depends on the number of topics and campaigns.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core.api_vocab import ReportBy
from preference_center.core.stayed import left_soon_after_less
from preference_center.core.vocab import Event, ReasonCode, Scope, Source
from preference_center.store import report_queries
from preference_center.store.report_queries import ReportFilter, day_of

EMAILED, LEFT, LEFT_EVERYTHING, JOINED = "emailed", "left", "left_everything", "joined"
LEFT_AFTER_LESS = "left_after_less"
LEFT_BY = {source: f"left_{source.name.lower()}" for source in Source}
REASONS = {f"reason_{code}": code for code in ReasonCode}

# The event of a ledger row that counts if it is the subscriber's own -> its column.
_OWN = {
    Event.REDUCED: "reduced",
    Event.PAUSED: "paused",
    Event.UNDONE: "undone",
    Event.RESUBSCRIBED: "came_back",
}
_JOINED = (Event.SUBSCRIBED, Event.RESUBSCRIBED)
_EVENTS = {Event.UNSUBSCRIBED, *_OWN, *_JOINED}
_FETCH_SIZE = 1000  # rows

Key = tuple[str, str, str]  # Month, topic and campaign; "" for what the row is not about.


@dataclass
class Counts:
    """The counts of each row by column, and the first day on which its emails were claimed."""

    by: ReportBy
    rows: dict[Key, Counter[str]]
    first_days: dict[Key, date]
    topics: dict[Key, set[str]]


def read(session: Session, by: ReportBy, selected: ReportFilter, *, less: bool = True) -> Counts:
    """Return the counts of the selected period. `less` also follows who left after less."""
    reader = _Reader(session, by, selected)
    found = Counts(by, defaultdict(Counter), {}, defaultdict(set))
    for month, topic, campaign, column, count in reader.counts():
        if (key := reader.key(month, topic, campaign)) is not None:
            found.rows[key][column] += count
    for month, topic, campaign, count, day in reader.emailed():
        key = reader.key(month, topic, campaign)
        if key is not None and count:
            found.rows[key][EMAILED] += count
            found.first_days[key] = min(day, found.first_days.get(key, day))
            found.topics[key].add(topic)
    for places in left_soon_after_less(session, selected) if less else ():
        for key in {reader.key(*place) for place in places}:
            if key is not None:
                found.rows[key][LEFT_AFTER_LESS] += 1
    return found


@dataclass
class _Reader:
    session: Session
    by: ReportBy
    selected: ReportFilter

    def __post_init__(self) -> None:
        self._by_month = self.by is ReportBy.MONTH
        found = self.session.execute(report_queries.topics_of_campaigns(self.session))
        self._topics = {row.campaign: row.topic for row in found}

    def key(self, month: str, topic: str | None, campaign: str | None) -> Key | None:
        """Return the row that a count belongs to, or None if its topic is not selected.

        Who left everything counts under the topic of their mailing, if only one topic has a
        mailing of that name.
        """
        campaign = campaign or ""
        topic = topic or self._topics.get(campaign, "")
        if self.selected.topic not in (None, topic):
            return None
        return {
            ReportBy.MAILING: ("", topic, campaign),
            ReportBy.CAMPAIGN: ("", "", campaign),
            ReportBy.TOPIC: ("", topic, ""),
            ReportBy.MONTH: (month, "", ""),
        }[self.by]

    def counts(self) -> Iterator[tuple[str, str | None, str | None, str, int]]:
        """Yield month, topic, campaign, column and count."""
        views = report_queries.page_views(self.selected, by_month=self._by_month)
        for month, topic, campaign, count in self._stream(views):
            yield month, topic, campaign, "opened", count
        events = report_queries.events(self.selected, _EVENTS, by_month=self._by_month)
        for month, topic, campaign, count, event, scope, source in self._stream(events):
            for column in _columns(event, scope, source):
                yield month, topic, campaign, column, count
        reasons = report_queries.reasons(self.selected, by_month=self._by_month)
        for month, topic, campaign, count, code in self._stream(reasons):
            yield month, topic, campaign, f"reason_{code}", count

    def emailed(self) -> Iterator[tuple[str, str, str, int, date]]:
        """Yield month, topic, campaign, number of emails and first day."""
        yield from self._stream(report_queries.emailed(self.selected, by_month=self._by_month))
        for day, topic, campaign, number in self._stream(report_queries.sent(self.selected)):
            yield day.isoformat()[:7], topic, campaign, number, day

    def _stream(self, query: report_queries.AnySelect) -> Iterator[Any]:
        return iter(self.session.execute(query.execution_options(yield_per=_FETCH_SIZE)))


def subscribers_at_end(
    session: Session, by: ReportBy, selected: ReportFilter, months: Collection[str]
) -> dict[Key, int]:
    """Return how many subscribers there were at the end, by topic or month.

    Months are those given, and those of the period in which the number has changed. The row of a
    month without a selected topic, and that of no topic, counts each subscriber once who received
    anything.
    """
    if by is ReportBy.TOPIC:
        found = session.execute(report_queries.subscribers(selected))
        return {("", topic, ""): int(count) for topic, count in found}
    changes = list(session.execute(report_queries.subscribers_by_month(selected)))
    first = day_of(selected.since).isoformat()[:7] if selected.since is not None else ""
    shown = {*months, *(month for month, _ in changes if month >= first)}
    return {
        (month, "", ""): int(sum(count for at, count in changes if at <= month)) for month in shown
    }


def _columns(event: Event, scope: Scope, source: Source) -> Iterator[str]:
    """Yield the columns in which a ledger row counts."""
    if event is Event.UNSUBSCRIBED:
        yield LEFT
        yield LEFT_BY[source]
        if scope is not Scope.TOPIC:
            yield LEFT_EVERYTHING
        return
    if event in _JOINED and scope is Scope.TOPIC:
        yield JOINED
    is_own = source.is_own and scope is not Scope.ADDRESS
    if is_own and event in _OWN and (event is not Event.RESUBSCRIBED or scope is Scope.TOPIC):
        yield _OWN[event]
