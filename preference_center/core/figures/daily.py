"""How many subscribers there were, who left and who joined, day by day."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from sqlalchemy.orm import Session

from preference_center.core.figures.period import Period
from preference_center.core.figures.rates import ranked
from preference_center.core.vocab import RATED_SOURCES, Event, Scope, Source
from preference_center.store import figure_queries

_JOINED = (Event.SUBSCRIBED, Event.RESUBSCRIBED)


@dataclass(frozen=True)
class Day:
    """One day: how many receive anything at its end, and how many left and joined on it.

    `left` are those who left on their own account, `bounced` those whose address failed.
    """

    day: date
    subscribers: int
    left: int
    bounced: int
    joined: int


@dataclass(frozen=True)
class Total:
    """The sums of a span's whole days. `net` is by how much the number of subscribers changed."""

    net: int
    left: int
    bounced: int
    joined: int


@dataclass(frozen=True)
class Daily:
    """The days of a period, today included, and the sums of the whole days and of those before.

    `channels` say through which source subscribers left in the period, the most frequent first.
    """

    days: list[Day]
    total: Total
    before: Total
    channels: list[tuple[Source, int]]

    @property
    def subscribers(self) -> int:
        """Return how many receive anything now."""
        return self.days[-1].subscribers

    @property
    def today(self) -> Day:
        return self.days[-1]

    @property
    def net_today(self) -> int:
        """Return by how much the number of subscribers has changed since midnight."""
        return self.subscribers - self.days[-2].subscribers

    @property
    def is_empty(self) -> bool:
        """Return True if there were no subscribers on any of the days."""
        return not any(each.subscribers for each in self.days)


def load(session: Session, period: Period) -> Daily:
    """Return the days of a period."""
    changes = {
        day: int(number)
        for day, number in session.execute(figure_queries.subscribers_by_day(period.before))
    }
    counts, channels = _counts(session, period)
    start = session.scalar(figure_queries.subscribers_until(period.before)) or 0
    begin = int(start) + sum(number for day, number in changes.items() if day < period.first)
    ends = list(accumulate((changes.get(day, 0) for day in period.days), initial=begin))[1:]
    days = [
        Day(day, end, counts[day]["left"], counts[day]["bounced"], counts[day]["joined"])
        for day, end in zip(period.days, ends, strict=True)
    ]
    return Daily(
        days,
        _total(changes, counts, period.first, period.today),
        _total(changes, counts, period.before, period.first),
        ranked(channels, Source),
    )


def _column(event: Event, scope: Scope, source: Source) -> str:
    """Return which count of a day some changes add to, or "" for none."""
    if event in _JOINED:
        return "joined" if scope is Scope.TOPIC else ""
    if source is Source.BOUNCE:
        return "bounced"
    return "left" if source in RATED_SOURCES else ""


def _counts(
    session: Session, period: Period
) -> tuple[Mapping[date, Counter[str]], Counter[Source]]:
    """Return the counts of each day, from the span before on, and the channels of the period."""
    counts: dict[date, Counter[str]] = defaultdict(Counter)
    channels, first = Counter[Source](), period.first
    wanted = figure_queries.changes_by_day((Event.UNSUBSCRIBED, *_JOINED), period.before)
    for day, event, scope, source, number in session.execute(wanted):
        counts[day][_column(event, scope, source)] += int(number)
        if event is Event.UNSUBSCRIBED and day >= first:
            channels[source] += int(number)
    return counts, channels


def _total(
    changes: Mapping[date, int], counts: Mapping[date, Counter[str]], first: date, end: date
) -> Total:
    """Return the sums of the days from `first` to before `end`."""
    sums = Counter[str]()
    for day, found in counts.items():
        if first <= day < end:
            sums.update(found)
    net = sum(number for day, number in changes.items() if first <= day < end)
    return Total(net, sums["left"], sums["bounced"], sums["joined"])
