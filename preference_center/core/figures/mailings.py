"""What each mailing of a period cost: how many left on their own account, of how many emailed."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core import report_counts, topics
from preference_center.core.api_vocab import ReportBy
from preference_center.core.figures import day_notes
from preference_center.core.figures.day_notes import DayNote
from preference_center.core.figures.period import Period
from preference_center.core.figures.rates import Rate, ranked, rate
from preference_center.core.report_counts import EMAILED, LEFT_BY, REASONS
from preference_center.core.vocab import OWN_SOURCES, RATED_SOURCES, Event, ReasonCode, Source
from preference_center.links.server import OWN_CAMPAIGNS
from preference_center.store import figure_queries, report_queries

MAX_SHOWN = 200
UNSUBSCRIBED, ASKED, ASKED_EVERYTHING = "unsubscribed", "asked", "asked_everything"
_FOLLOWED_DAYS = 30
_KEY = ("topic", "campaign")


class MailingOrder(StrEnum):
    """The order of mailings."""

    DATE = "date"  # The newest first.
    RATE = "rate"  # The highest first.
    LEFT = "left"  # The most unsubscribes first.


@dataclass(frozen=True)
class Mailing:
    """One campaign of one topic. `first_day` is when its first emails were claimed, or None.

    `counts` are columns of the report, and UNSUBSCRIBED: those who left on their own account. ASKED
    and ASKED_EVERYTHING are those who left one topic or everything and were asked why.
    """

    topic: str
    campaign: str
    first_day: date | None
    counts: Counter[str]

    @property
    def left(self) -> int:
        """Return how many left on their own account."""
        return self.counts[UNSUBSCRIBED]

    @cached_property
    def rate(self) -> Rate | None:
        """Return how many left, or None if too few were emailed or their number is not known."""
        return rate(self.left, self.counts[EMAILED])

    @property
    def key(self) -> tuple[str, str]:
        return self.topic, self.campaign

    @property
    def is_mailing(self) -> bool:
        """Return False for no campaign, one of our own, or one of several topics at once."""
        return bool(self.topic and self.campaign) and self.campaign not in OWN_CAMPAIGNS


@dataclass(frozen=True)
class Mailings:
    """Mailings of a period, the first of `count`, and the names of all topics.

    `others` are the counts of what belongs to no mailing, like imports and our own emails' links.
    """

    shown: Sequence[Mailing]
    count: int
    others: Counter[str]
    names: Mapping[str, str]


@dataclass(frozen=True)
class OneMailing:
    """A mailing, and how many left by it on their own account on each of its first days.

    `later` is how many left after those. `channels` and `reasons` have the most frequent first,
    without zeros. `names` are the topics', and `notes` those of the days.
    """

    mailing: Mailing
    days: list[tuple[date, int]]
    later: int
    channels: list[tuple[Source, int]]
    reasons: list[tuple[ReasonCode, int]]
    names: Mapping[str, str]
    notes: list[DayNote]


def load(
    session: Session,
    period: Period,
    topic: str | None,
    order: MailingOrder,
    *,
    at_most: int | None = MAX_SHOWN,
) -> Mailings:
    """Return the mailings of a period in an order, all of them if `at_most` is None.

    Raises:
        UnknownTopicError: there is no such topic.
    """
    if topic is not None:
        topics.get(session, topic)
    found = [each for each in read(session, period) if topic in (None, each.topic)]
    named = sorted((each for each in found if each.is_mailing), key=_KEYS[order], reverse=True)
    others = summed(each for each in found if not each.is_mailing)
    return Mailings(named[:at_most], len(named), others, topics.names(session))


def one(session: Session, period: Period, topic: str, campaign: str) -> OneMailing | None:
    """Return a mailing by what was recorded in a period, or None if that is nothing."""
    selected = period.filter(None, campaign)
    found = report_counts.read(session, ReportBy.MAILING, selected, less=False)
    key = ("", topic, campaign)
    counts = found.rows.get(key)
    if counts is None or not topic:
        return None
    counts[UNSUBSCRIBED] = sum(counts[LEFT_BY[each]] for each in RATED_SOURCES)
    mailing = Mailing(topic, campaign, found.first_days.get(key), counts)
    # Who left everything counts here unless another topic has a mailing of the same name.
    of_topics = (topic,) if ("", "", campaign) in found.rows else (topic, "")
    days, later = _by_day(session, mailing, of_topics, period)
    return OneMailing(
        mailing,
        days,
        later,
        ranked({each: counts[LEFT_BY[each]] for each in Source}, Source),
        ranked({code: counts[name] for name, code in REASONS.items()}, ReasonCode),
        topics.names(session),
        day_notes.between(session, days[0][0], days[-1][0]),
    )


def read(session: Session, period: Period) -> list[Mailing]:
    """Return what was recorded by mailing, also what is about no mailing.

    It says what the report says, with fewer columns and statements: the report of a year has more
    rows than a page can wait for.
    """
    rows: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    first_days: dict[tuple[str, str], date] = {}
    for slug, campaign, number, day in _emailed(session, period):
        rows[slug, campaign][EMAILED] += int(number)
        first_days[slug, campaign] = min(day, first_days.get((slug, campaign), day))
    opened = report_queries.page_views(period.filter(), by_month=False)
    for _, slug, campaign, number in session.execute(opened):
        rows[slug, campaign]["opened"] += int(number)
    changes = figure_queries.changes_by_mailing(RATED_SOURCES, OWN_SOURCES, period.first)
    found = session.execute(changes).mappings().all()
    one_topic = _topics_of(session, {row["campaign"] for row in found if not row["topic"]})
    for row in found:
        sums = {name: number for name, number in row.items() if name not in _KEY}
        slug = row["topic"] or one_topic.get(row["campaign"], "")
        rows[slug, row["campaign"]].update(sums)
    return [Mailing(*key, first_days.get(key), counts) for key, counts in rows.items()]


def _emailed(session: Session, period: Period) -> Iterator[tuple[str, str, int, date]]:
    """Yield topic, campaign, number of emails and first day."""
    selected = period.filter()
    claimed = session.execute(report_queries.emailed(selected, by_month=False))
    yield from ((slug, campaign, number, day) for _, slug, campaign, number, day in claimed)
    stated = session.execute(report_queries.sent(selected))
    yield from ((slug, campaign, number, day) for day, slug, campaign, number in stated)


def _topics_of(session: Session, campaigns: Collection[str]) -> dict[str, str]:
    """Return the topic of each of these campaigns that only one topic has."""
    if not campaigns:
        return {}
    found = session.execute(report_queries.topics_of_campaigns(session, campaigns))
    return {row.campaign: row.topic for row in found}


def costliest(found: Iterable[Mailing], limit: int) -> list[Mailing]:
    """Return the mailings with the highest rates, the highest first."""
    rated = [each for each in found if each.is_mailing and each.rate is not None and each.left]
    return sorted(rated, key=_KEYS[MailingOrder.RATE], reverse=True)[:limit]


def without_claims(session: Session, found: Iterable[Mailing]) -> list[Mailing]:
    """Return the mailings that led to changes, and of which no email was claimed or counted."""
    unknown = [each for each in found if each.is_mailing and not each.counts[EMAILED]]
    names = {each.campaign for each in unknown}
    if not names:
        return []
    known = {
        (row.topic, row.campaign) for row in session.execute(figure_queries.counted(session, names))
    }
    return [each for each in unknown if each.key not in known]


def asked(found: Iterable[Mailing]) -> Counter[str]:
    """Return how many were asked why they left: by topic, "" for those who left everything."""
    counts = Counter[str]()
    for each in found:
        counts[each.topic] += each.counts[ASKED]
        counts[""] += each.counts[ASKED_EVERYTHING]
    return +counts


def summed(found: Iterable[Mailing]) -> Counter[str]:
    """Return the sums of the counts of some mailings."""
    sums = Counter[str]()
    for each in found:
        sums.update(each.counts)
    return sums


def _by_day(
    session: Session, mailing: Mailing, of_topics: Collection[str], period: Period
) -> tuple[list[tuple[date, int]], int]:
    """Return how many left on each of the first days, and how many after those."""
    wanted = figure_queries.left_by_day(
        mailing.campaign, of_topics, RATED_SOURCES, Event.UNSUBSCRIBED, period.first
    )
    counts = {day: int(number) for day, number in session.execute(wanted)}
    known = [*counts, *([mailing.first_day] if mailing.first_day else [])]
    first = min(known, default=period.today)
    length = min((period.today - first).days, _FOLLOWED_DAYS)
    days = [first + timedelta(days=each) for each in range(length + 1)]
    shown = [(day, counts.get(day, 0)) for day in days]
    return shown, sum(number for day, number in counts.items() if day > days[-1])


def _by_date(mailing: Mailing) -> tuple[str, str, str]:
    return str(mailing.first_day or ""), mailing.topic, mailing.campaign


def _by_rate(mailing: Mailing) -> tuple[float, int]:
    return mailing.rate.per_thousand if mailing.rate else -1, mailing.left


_KEYS: Mapping[MailingOrder, Any] = {
    MailingOrder.DATE: _by_date,
    MailingOrder.RATE: _by_rate,
    MailingOrder.LEFT: lambda mailing: (mailing.left, _by_date(mailing)),
}
