"""The report as the demo shows it: rates, the newest mailings of each topic, and readers' notes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import report
from preference_center.core.report import EVENT_COLUMNS, ReportRequest, ReportRow, total
from preference_center.core.report_counts import EMAILED, LEFT, LEFT_BY, REASONS
from preference_center.core.stayed import Stayed, stayed
from preference_center.core.vocab import OWN_SOURCES, ReasonCode
from preference_center.demo.company import TOPICS
from preference_center.store import report_queries
from preference_center.store.report_queries import ReportFilter

NEWEST = 12
_NOTES = 4
COLUMNS = (EMAILED, *EVENT_COLUMNS)
RATES = ("left", "reduced", "paused")  # The columns that are shown as a share of the emails, too.

_Notes = Mapping[str, Sequence[tuple[ReasonCode, str]]]


@dataclass(frozen=True)
class TopicReport:
    """The report on one topic; `slug` is "" for unsubscribes from everything.

    `stayed` says how many took less instead of leaving. `columns` are those of `COLUMNS` that are
    not 0. `older` is the number of mailings that `older_counts` sums. `without` counts events
    without a campaign. `reasons` are the codes and how often each was given, the most frequent
    first. `notes` are the newest notes with their reasons.
    """

    slug: str
    stayed: Stayed
    columns: list[str]
    newest: list[ReportRow]
    older: int
    older_counts: Counter[str]
    without: Counter[str] | None
    total: Counter[str]
    reasons: list[tuple[ReasonCode, int]]
    notes: Sequence[tuple[ReasonCode, str]]

    def share_of_emails(self, column: str) -> float | None:
        """Return the share of the emails that led to this, or None if that is not meant."""
        emails = self.total[EMAILED]
        return self.total[column] / emails if emails and column in RATES else None


@dataclass(frozen=True)
class Summary:
    """The reports on all topics; `stayed` is their sum."""

    stayed: Stayed
    reports: list[TopicReport]


def load(session: Session) -> Summary:
    """Return the whole report."""
    known = stayed(session)
    rows = [
        row for row in map(_own, report.load(session, ReportRequest())) if any(row.counts.values())
    ]
    none = Stayed(0, 0, 0)
    return Summary(sum(known.values(), none), by_topic(rows, known, _notes(session)))


def _own(row: ReportRow) -> ReportRow:
    """Return a row that counts only those who left by their own choice."""
    shown = Counter({name: row.counts[name] for name in (*COLUMNS, *REASONS)})
    shown[LEFT] = sum(row.counts[LEFT_BY[source]] for source in OWN_SOURCES)
    return replace(row, counts=shown)


def by_topic(
    rows: Iterable[ReportRow], stayed: Mapping[str, Stayed], notes: _Notes
) -> list[TopicReport]:
    """Return a report on each topic: the demo's own first, unsubscribes from everything last."""
    order = [new.slug for new in TOPICS]
    grouped = {slug: list(found) for slug, found in groupby(rows, key=lambda row: row.topic)}
    known = [slug for slug in order if slug in grouped]
    others = [slug for slug in grouped if slug not in order]
    return [
        _report(slug, grouped[slug], stayed.get(slug, Stayed(0, 0, 0)), notes.get(slug, ()))
        for slug in (*known, *others)
    ]


def _report(
    slug: str, rows: Sequence[ReportRow], stayed: Stayed, notes: Sequence[tuple[ReasonCode, str]]
) -> TopicReport:
    named = sorted((row for row in rows if row.campaign), key=_age)
    newest, older = named[-NEWEST:], named[:-NEWEST]
    counts = total(rows)
    given = Counter({code: counts[column] for column, code in REASONS.items() if counts[column]})
    return TopicReport(
        slug=slug,
        stayed=stayed,
        columns=[column for column in COLUMNS if counts[column]],
        newest=newest[::-1],
        older=len(older),
        older_counts=total(older),
        without=next((row.counts for row in rows if not row.campaign), None),
        total=counts,
        reasons=given.most_common(),
        notes=notes,
    )


def _notes(session: Session) -> dict[str, list[tuple[ReasonCode, str]]]:
    """Return the newest notes on each topic, each text once."""
    given = report_queries.all_reasons(ReportFilter()).c
    query = select(given.topic, given.code, given.note).where(given.note != "")
    found: dict[str, dict[str, ReasonCode]] = {}
    for topic, code, note in session.execute(query.order_by(given.week.desc(), given.note)):
        notes = found.setdefault(topic or "", {})
        if len(notes) < _NOTES:
            notes.setdefault(note, ReasonCode(code))
    return {topic: [(code, note) for note, code in notes.items()] for topic, notes in found.items()}


def _age(row: ReportRow) -> tuple[bool, str]:
    """Sort by the date that begins a campaign of the demo, and campaigns without a date first."""
    return row.campaign[:1].isdigit(), row.campaign
