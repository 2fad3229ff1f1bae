"""Export preferences, suppressions, the ledger and reasons, streamed in constant memory.

Rows are ordered by their keys (reasons, which have none, by all of their columns), so that the same
data gives the same bytes on both engines.

Preferences are exported with their effective status: a person who unsubscribed from everything is
`unsubscribed` from each topic, so that another tool that imports the file does not email them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TextIO
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.data.import_columns import PREFERENCES, SUPPRESSIONS
from preference_center.data.tabular import CsvWriter, JsonLinesWriter, RowWriter
from preference_center.store import export_queries

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

_FETCH_SIZE = 1000


@dataclass(frozen=True)
class Filter:
    """Select rows of one topic, recorded at `since` or later and before `until`."""

    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of export: its columns, and a query for a topic, a `since` and an `until`."""

    columns: tuple[str, ...]
    query: Callable[[str | None, datetime | None, datetime | None], export_queries.AnySelect]


KINDS: Mapping[str, Kind] = {
    "preferences": Kind(PREFERENCES, export_queries.preferences),
    "suppressions": Kind(SUPPRESSIONS, export_queries.suppressions),
    "ledger": Kind(LEDGER, export_queries.ledger),
    "reasons": Kind(REASONS, export_queries.reasons),
}


def rows(session: Session, kind: Kind, selected: Filter) -> Iterator[dict[str, str]]:
    """Yield the rows of one kind as texts by column."""
    query = kind.query(selected.topic, selected.since, selected.until)
    result = session.execute(query.execution_options(yield_per=_FETCH_SIZE))
    for row in result.mappings():
        yield {column: _text(row[column]) for column in kind.columns}


def writer(file: TextIO, kind: Kind, file_format: str, *, mark: bool = False) -> RowWriter:
    """Return a writer of `csv`, which is safe to open in a spreadsheet, or of `jsonl`.

    With `mark`, CSV begins with a byte order mark, so that Excel reads it as UTF-8.
    """
    if file_format == "csv":
        file.write("\ufeff" if mark else "")
        return CsvWriter(file, kind.columns, escape=True)
    return JsonLinesWriter(file)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, UUID | int) else value
