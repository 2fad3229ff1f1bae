"""The report as the demo shows it: for each topic the newest mailings, the rest of them summed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from preference_center.core.vocab import ReasonCode
from preference_center.data.report import EVENT_COLUMNS, REASONS, ReportRow, total
from preference_center.demo.company import TOPICS

NEWEST = 12


@dataclass(frozen=True)
class TopicReport:
    """One topic's report ("" is everything at once); `older` mailings are summed.

    `acts` are those that happened at all. `without` counts what answers no mailing, or one that is
    no longer told apart. `reasons` are the codes and how often each was given, the most frequent
    first.
    """

    slug: str
    acts: list[str]
    newest: list[ReportRow]
    older: int
    older_counts: Counter[str]
    without: Counter[str] | None
    total: Counter[str]
    reasons: list[tuple[ReasonCode, int]]


def by_topic(lines: Iterable[ReportRow]) -> list[TopicReport]:
    """Return a report for each topic: the demo's own first, everything at once last."""
    order = [new.slug for new in TOPICS]
    grouped = {slug: list(found) for slug, found in groupby(lines, key=lambda line: line.topic)}
    known = [slug for slug in order if slug in grouped]
    others = [slug for slug in grouped if slug not in order]
    return [_report(slug, grouped[slug]) for slug in (*known, *others)]


def _report(slug: str, lines: Sequence[ReportRow]) -> TopicReport:
    named = sorted((line for line in lines if line.campaign), key=_age)
    newest, older = named[-NEWEST:], named[:-NEWEST]
    counts = total(lines)
    given = Counter({code: counts[column] for column, code in REASONS.items() if counts[column]})
    return TopicReport(
        slug=slug,
        acts=[column for column in EVENT_COLUMNS if counts[column]],
        newest=newest[::-1],
        older=len(older),
        older_counts=total(older),
        without=next((line.counts for line in lines if not line.campaign), None),
        total=counts,
        reasons=given.most_common(),
    )


def _age(line: ReportRow) -> tuple[bool, str]:
    """Sort by the day that the demo's campaigns begin with, what has none before them all."""
    return line.campaign[:1].isdigit(), line.campaign
