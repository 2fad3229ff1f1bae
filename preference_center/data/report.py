"""What mailings led to: who opened, left or asked for less, and why, by topic and campaign.

Only what people did themselves counts, through the doors that are theirs. A person is never
named. Memory holds one line for each topic and campaign, whatever the number of people.
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
SOON_AFTER = timedelta(days=30)  # who leaves in that time was not kept by less

# The ledger's event and its scope -> the column that counts it.
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
_ROWS_AT_A_TIME = 1000

_Key = tuple[str, str]


@dataclass(frozen=True)
class ReportRow:
    """One topic ("" is everything at once) and one campaign ("" is none), and what was counted."""

    topic: str
    campaign: str
    counts: Counter[str]

    def cells(self) -> dict[str, str | int]:
        """Return all of `COLUMNS`, what did not happen as 0."""
        numbers = {name: self.counts[name] for name in (*EVENT_COLUMNS, *REASONS)}
        return {"topic": self.topic, "campaign": self.campaign, **numbers}


def lines(
    session: Session,
    *,
    topic: str | None = None,
    campaign: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[ReportRow]:
    """Return the report on what was recorded from `since` on and before `until`, in order.

    `left_after_less` tells how many of those who asked for less in that time left within 30 days
    of it, be it after `until`.
    """
    wanted = ReportFilter(topic, campaign, since, until)
    tally: dict[_Key, Counter[str]] = defaultdict(Counter)
    for key, column, count in _counts(session, wanted):
        tally[key][column] += count
    for key in _left_after_less(session, wanted):
        tally[key]["left_after_less"] += 1
    in_order = sorted(tally, key=lambda key: (key[0] == "", key))  # everything at once comes last
    return [ReportRow(*key, tally[key]) for key in in_order]


def total(of: Iterable[ReportRow]) -> Counter[str]:
    """Return the sums of some lines."""
    counts: Counter[str] = Counter()
    for line in of:
        counts.update(line.counts)
    return counts


def _counts(session: Session, wanted: ReportFilter) -> Iterator[tuple[_Key, str, int]]:
    for topic, campaign, count in _stream(session, report_queries.page_views(wanted)):
        yield (topic, campaign), "opened", count
    events = {event for event, _ in _COUNTED}
    for topic, campaign, event, scope, count in _stream(
        session, report_queries.events(wanted, events, OWN_SOURCES)
    ):
        if (event, scope) in _COUNTED:
            yield _key(topic, campaign), _COUNTED[event, scope], count
    for topic, campaign, code, count in _stream(session, report_queries.reasons(wanted)):
        yield _key(topic, campaign), f"reason_{code}", count


def _left_after_less(session: Session, wanted: ReportFilter) -> Iterator[_Key]:
    """Yield topic and campaign once for each person who left soon after asking for less there."""
    rows = _stream(session, report_queries.left_after(wanted, _LESS, OWN_SOURCES))
    for _, of_one_person in groupby(rows, key=lambda row: row.subscriber_id):
        yield from {
            _key(row.topic, row.campaign)
            for row in of_one_person
            if timedelta(0) <= row.left_at - row.asked_at <= SOON_AFTER
        }


def _stream(session: Session, query: report_queries.AnySelect) -> Iterator[Any]:
    return iter(session.execute(query.execution_options(yield_per=_ROWS_AT_A_TIME)))


def _key(topic: str | None, campaign: str | None) -> _Key:
    return topic or "", campaign or ""
