"""Data out: preferences, suppressions, the ledger and reasons, streamed in constant memory.

Rows come in the order of their keys (reasons, which have none, by all that they say), so the same
data gives the same bytes on both engines.
What somebody gets is exported as it is in effect: a person who left everything is `unsubscribed`
from each topic, so a file that travels to another tool mails nobody who left.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TextIO
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.data.tabular import CsvWriter, JsonLinesWriter, RowWriter
from preference_center.store import export_queries

PREFERENCES = (
    "email",
    "id",
    "topic",
    "status",
    "frequency",
    "paused_until",
    "locale",
    "consent_at",
    "consent_source",
    "consent_wording",
    "basis",
    "acquired_from",
    "changed_at",
    "changed_by",
)
SUPPRESSIONS = ("email", "id", "kind", "topic", "since", "source", "erased_at")
LEDGER = (
    "id",
    "seq",
    "event",
    "scope",
    "topic",
    "source",
    "campaign",
    "occurred_at",
    "recorded_at",
    "wording",
    "status",
    "original_source",
    "stated_source",
    "hash",
)
REASONS = ("week", "topic", "campaign", "code", "note")

_ROWS_AT_A_TIME = 1000


@dataclass(frozen=True)
class Filter:
    """Which rows: of one topic, recorded from `since` on and before `until`."""

    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of export: its columns and its query."""

    columns: tuple[str, ...]
    query: Callable[[str | None, datetime | None, datetime | None], export_queries.AnySelect]


KINDS: Mapping[str, Kind] = {
    "preferences": Kind(PREFERENCES, export_queries.preferences),
    "suppressions": Kind(SUPPRESSIONS, export_queries.suppressions),
    "ledger": Kind(LEDGER, export_queries.ledger),
    "reasons": Kind(REASONS, export_queries.reasons),
}


def rows(session: Session, kind: Kind, wanted: Filter) -> Iterator[dict[str, str]]:
    """Yield the rows of one kind, a bounded number of them in memory at a time."""
    query = kind.query(wanted.topic, wanted.since, wanted.until)
    result = session.execute(query.execution_options(yield_per=_ROWS_AT_A_TIME))
    for row in result.mappings():
        yield {column: _plain(row[column]) for column in kind.columns}


def writer(file: TextIO, kind: Kind, file_format: str, *, mark: bool = False) -> RowWriter:
    """Return what writes `csv` (safe to open in a spreadsheet) or `jsonl` (raw).

    With `mark`, CSV begins with a byte order mark, by which Excel takes it as UTF-8.
    """
    if file_format == "csv":
        file.write("\ufeff" if mark else "")
        return CsvWriter(file, kind.columns, escape=True)
    return JsonLinesWriter(file)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, UUID | int) else value
