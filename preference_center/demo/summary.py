"""The report as the demo shows it: the newest mailings of each topic, and the sum of the rest."""

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
    """The report on one topic; `slug` is "" for unsubscribes from everything.

    `columns` are the event columns that are not 0. `older` is the number of mailings that
    `older_counts` sums. `without` counts events without a campaign. `reasons` are the codes and
    how often each was given, the most frequent first.
    """

    slug: str
    columns: list[str]
    newest: list[ReportRow]
    older: int
    older_counts: Counter[str]
    without: Counter[str] | None
    total: Counter[str]
    reasons: list[tuple[ReasonCode, int]]


def by_topic(rows: Iterable[ReportRow]) -> list[TopicReport]:
    """Return a report on each topic: the demo's own first, unsubscribes from everything last."""
    order = [new.slug for new in TOPICS]
    grouped = {slug: list(found) for slug, found in groupby(rows, key=lambda row: row.topic)}
    known = [slug for slug in order if slug in grouped]
    others = [slug for slug in grouped if slug not in order]
    return [_report(slug, grouped[slug]) for slug in (*known, *others)]


def _report(slug: str, rows: Sequence[ReportRow]) -> TopicReport:
    named = sorted((row for row in rows if row.campaign), key=_age)
    newest, older = named[-NEWEST:], named[:-NEWEST]
    counts = total(rows)
    given = Counter({code: counts[column] for column, code in REASONS.items() if counts[column]})
    return TopicReport(
        slug=slug,
        columns=[column for column in EVENT_COLUMNS if counts[column]],
        newest=newest[::-1],
        older=len(older),
        older_counts=total(older),
        without=next((row.counts for row in rows if not row.campaign), None),
        total=counts,
        reasons=given.most_common(),
    )


def _age(row: ReportRow) -> tuple[bool, str]:
    """Sort by the date that begins a campaign of the demo, and campaigns without a date first."""
    return row.campaign[:1].isdigit(), row.campaign
