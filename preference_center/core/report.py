"""The report: what mailings led to, by mailing, campaign, topic or month.

Every unsubscribe in the ledger is in exactly one row, whatever its source. Other changes count if
subscribers made them themselves. No subscriber is named.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core import report_counts, topics
from preference_center.core.api_vocab import ReportBy
from preference_center.core.errors import ReportRefusal
from preference_center.core.report_counts import (
    EMAILED,
    JOINED,
    LEFT,
    LEFT_AFTER_LESS,
    LEFT_BY,
    LEFT_EVERYTHING,
    REASONS,
    Counts,
    Key,
)
from preference_center.core.vocab import RATED_SOURCES
from preference_center.store.report_queries import ReportFilter

EVENT_COLUMNS = ("opened", LEFT, "reduced", "paused", "undone", "came_back", LEFT_AFTER_LESS)
RATE, SUBSCRIBERS, PREVIOUS = "left_per_thousand", "subscribers", "previous_"
COUNTS = (
    *(EMAILED, "opened", LEFT, LEFT_EVERYTHING),
    *LEFT_BY.values(),
    *(JOINED, *EVENT_COLUMNS[2:]),
    *REASONS,
)
COMPARED = (EMAILED, LEFT, RATE)
# The columns of a row's key.
KEYS = {
    ReportBy.MAILING: ("topic", "campaign"),
    ReportBy.CAMPAIGN: ("campaign",),
    ReportBy.TOPIC: ("topic",),
    ReportBy.MONTH: ("month",),
}


@dataclass(frozen=True)
class ReportRow:
    """The counts of one row; "" in `topic` means all topics at once, in `campaign` none.

    `subscribers` is how many there were at the end, or None where that is not meant. `previous` is
    the row that this one is compared with, if there is one.
    """

    topic: str
    campaign: str
    counts: Counter[str]
    month: str = ""
    subscribers: int | None = None
    previous: "ReportRow | None" = None

    @property
    def rate(self) -> float | None:
        """Return how many of a thousand emailed left on their own account, if that is known."""
        return rate(self.counts)

    def cells(self, columns: Sequence[str]) -> dict[str, Any]:
        """Return the values of these columns; None for what is not known."""
        return {name: self._cell(name) for name in columns}

    def _cell(self, name: str) -> Any:
        if name in ("month", "topic", "campaign", SUBSCRIBERS):
            return getattr(self, name)
        if name.startswith(PREVIOUS):
            before = self.previous
            return before and before._cell(name.removeprefix(PREVIOUS))
        if name == RATE:
            return self.rate
        return self.counts[name] or None if name == EMAILED else self.counts[name]


@dataclass(frozen=True)
class ReportRequest:
    """What a report shows: changes recorded from the day of `since` to that of `until`.

    Days are in UTC; `until` itself is not included. With `compare`, a month and a mailing are
    compared with the one before, a topic with the period before. With `by_rate`, the highest rate
    comes first. `less` counts `left_after_less`, which reads the ledger.
    """

    by: ReportBy = ReportBy.MAILING
    topic: str | None = None
    campaign: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    compare: bool = False
    by_rate: bool = False
    less: bool = True

    @property
    def filter(self) -> ReportFilter:
        return ReportFilter(self.topic, self.campaign, self.since, self.until)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the rows."""
        shown = [each for each in COUNTS if self.less or each != LEFT_AFTER_LESS]
        at = shown.index(LEFT_EVERYTHING)
        shown.insert(at, RATE)
        if self.by in (ReportBy.TOPIC, ReportBy.MONTH):
            shown.insert(shown.index(JOINED) + 1, SUBSCRIBERS)
        compared = [f"{PREVIOUS}{each}" for each in COMPARED] if self.compare else ()
        return (*KEYS[self.by], *shown, *compared)


def load(session: Session, request: ReportRequest) -> list[ReportRow]:
    """Return the rows: by month, else by topic and campaign, those of all topics at once last.

    `left_after_less` counts the subscribers who reduced or paused in the period and unsubscribed
    within 30 days, even if that was after `until`.

    Raises:
        UnknownTopicError: there is no such topic.
        ReportRefusal: topics cannot be compared without both `since` and `until`.
    """
    if request.topic is not None:
        topics.get(session, request.topic)
    counts = _read(session, request, request.filter)
    found = _rows(session, request, counts)
    if request.compare:
        found = _compared(session, request, counts, found)
    if request.by_rate:
        found.sort(key=lambda row: -1 if row.rate is None else row.rate, reverse=True)
    return found


def rate(counts: Counter[str]) -> float | None:
    """Return how many of a thousand emailed left on their own account, if that is known."""
    if not counts[EMAILED]:
        return None
    left = sum(counts[LEFT_BY[each]] for each in RATED_SOURCES)
    return round(1000 * left / counts[EMAILED], 2)


def total(report: Iterable[ReportRow]) -> Counter[str]:
    """Return the sums of the counts of some rows."""
    counts: Counter[str] = Counter()
    for row in report:
        counts.update(row.counts)
    return counts


def _read(session: Session, request: ReportRequest, selected: ReportFilter) -> Counts:
    return report_counts.read(session, request.by, selected, less=request.less)


def _rows(session: Session, request: ReportRequest, counts: Counts) -> list[ReportRow]:
    ends: dict[Key, int] = {}
    if request.by in (ReportBy.TOPIC, ReportBy.MONTH):
        months = [month for month, *_ in counts.rows]
        ends = report_counts.subscribers_at_end(session, request.by, request.filter, months)
    keys = set(counts.rows)
    if request.campaign is None:  # Also topics and months with subscribers, but without events.
        keys.update(key for key, number in ends.items() if key[0] or (key[1] and number))
    return [
        ReportRow(
            topic=key[1],
            campaign=key[2],
            counts=counts.rows[key],
            month=key[0],
            subscribers=ends.get(key, 0) if SUBSCRIBERS in request.columns else None,
        )
        for key in sorted(keys, key=lambda key: (key[0], key[1] == "", key))
    ]


def _compared(
    session: Session, request: ReportRequest, counts: Counts, rows: list[ReportRow]
) -> list[ReportRow]:
    """Return the rows, each with the one before."""
    if request.by is ReportBy.TOPIC:
        earlier = _read(session, request, _period_before(request.filter)).rows
        before = {
            (row.topic, row.campaign): replace(row, counts=earlier[_key(row)], subscribers=None)
            for row in rows
            if _key(row) in earlier
        }
        return [replace(row, previous=before.get((row.topic, row.campaign))) for row in rows]
    previous = {}
    for first, second in pairwise(sorted(rows, key=lambda row: _series(counts, row))):
        if _series(counts, first)[0] == _series(counts, second)[0]:
            previous[_key(second)] = first
    return [replace(row, previous=previous.get(_key(row))) for row in rows]


def _series(counts: Counts, row: ReportRow) -> tuple[list[str], str]:
    """Return what a row may be compared with, the topics of its mailings, and its place in time."""
    key = _key(row)
    if counts.by is ReportBy.MONTH:
        return [], row.month
    if key not in counts.first_days:  # It has no emails, and so no rate.
        return ["", *key], ""
    return sorted(counts.topics[key]), f"{counts.first_days[key]} {row.campaign}"


def _period_before(selected: ReportFilter) -> ReportFilter:
    """Return the period of the same length that ends where this one begins."""
    if selected.since is None or selected.until is None:
        raise ReportRefusal("topics are compared over a period: give its beginning and its end")
    try:
        begin = selected.since - (selected.until - selected.since)
    except OverflowError:
        raise ReportRefusal("the period is too long to be compared with the one before") from None
    return replace(selected, since=begin, until=selected.since)


def _key(row: ReportRow) -> Key:
    return row.month, row.topic, row.campaign
