"""Export preferences, suppressions, the ledger and reasons, streamed in constant memory.

Rows are ordered by their keys (reasons, which have none, by all of their columns), so that the same
data gives the same bytes on both engines.

Preferences are exported with their effective status: a person who unsubscribed from everything is
`unsubscribed` from each topic, so that another tool that imports the file does not email them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

from sqlalchemy import String
from sqlalchemy.orm import Session

from preference_center.core import fetches
from preference_center.core.vocab import FetchKind
from preference_center.data.export_formats import csv_lines, json_lines
from preference_center.data.import_columns import PREFERENCES, SUPPRESSIONS
from preference_center.store import export_queries
from preference_center.store.seals import STATED_SOURCE
from preference_center.store.streaming import AnySelect, Batch, streamed
from preference_center.store.text_cells import as_text

_DETAILS = ("status", "original_source", "stated_source")
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
    *_DETAILS,
    "hash",
)
REASONS = ("week", "topic", "campaign", "code", "note")


@dataclass(frozen=True)
class Filter:
    """Select rows of one topic, recorded at `since` or later and before `until`."""

    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of export: its columns, and a query for a topic, a `since` and an `until`.

    The query has the same columns in the same order, but for the ledger's `after`, which becomes
    three of them. `fetch` says how it counts as a fetch of unsubscribes, if it does.
    """

    columns: tuple[str, ...]
    query: Callable[[str | None, datetime | None, datetime | None], AnySelect]
    fetch: FetchKind | None = None


KINDS: Mapping[str, Kind] = {
    "preferences": Kind(PREFERENCES, export_queries.preferences, FetchKind.PREFERENCES),
    "suppressions": Kind(SUPPRESSIONS, export_queries.suppressions, FetchKind.SUPPRESSIONS),
    "ledger": Kind(LEDGER, export_queries.ledger),
    "reasons": Kind(REASONS, export_queries.reasons),
}


def write(
    session: Session,
    kind: Kind,
    selected: Filter,
    file: TextIO,
    file_format: str,
    *,
    mark: bool = False,
    advance: Callable[[int], object] = int,
) -> None:
    """Write one kind of export as `csv`, which is safe to open in a spreadsheet, or as `jsonl`.

    With `mark`, CSV begins with a byte order mark, so that Excel reads it as UTF-8. `advance` is
    called with the number of rows of each batch that was written.
    """
    for rows in steps(session, kind, selected, file, file_format, mark=mark):
        advance(rows)


def steps(
    session: Session,
    kind: Kind,
    selected: Filter,
    file: TextIO,
    file_format: str,
    *,
    mark: bool = False,
) -> Iterator[int]:
    """Write as `write` does, and yield the number of rows of each batch when it is written."""
    query = kind.query(selected.topic, selected.since, selected.until)
    names = query.selected_columns.keys()
    types = (column.type for column in query.selected_columns)
    free = {name for name, each in zip(names, types, strict=True) if isinstance(each, String)}
    if file_format == "csv":
        file.write(("\ufeff" if mark else "") + ",".join(kind.columns) + "\r\n")
    with streamed(session, as_text(query)) as batches:
        for batch in batches:
            columns = _columns(batch, names)
            if file_format == "csv":
                file.write(csv_lines(kind.columns, columns, free.union(_DETAILS)))
            else:
                file.write(json_lines(kind.columns, columns))
            yield len(batch)


def record_fetch(session: Session, kind: FetchKind, selected: Filter, began_at: datetime) -> None:
    """Record which unsubscribes a complete export, begun at `began_at`, has given to a sender."""
    fetched = {selected.topic or fetches.EVERYTHING}
    if kind is FetchKind.SUPPRESSIONS:
        fetched.add(fetches.EVERYTHING)  # An export for a topic has all suppressions as well.
    for topic in sorted(fetched):
        fetches.record(session, kind, topic, began_at, since=selected.since, until=selected.until)


def _columns(batch: Batch, names: Sequence[str]) -> list[Sequence[str]]:
    """Return a batch by column, with the ledger's `after` as three columns."""
    columns: list[Sequence[str]] = list(zip(*batch, strict=True))
    if "after" in names:
        at = names.index("after")
        # Details that were erased are empty. One call for all takes half the time of many.
        texts = ",".join(text or "{}" for text in columns[at])
        columns[at : at + 1] = zip(*map(_details_cells, json.loads(f"[{texts}]")), strict=True)
    return columns


def _details_cells(after: dict[str, Any]) -> tuple[str, str, str]:
    """Return the status after a change, the source of an unsubscribe, and what a file stated.

    `after` contains the one subscription or suppression that the row changed, or None.
    """
    stated = after.pop(STATED_SOURCE, "")
    value = next(iter(after.values()), None)
    if value is None:
        return "", "", stated
    status = value.get("status", "unsubscribed")  # a suppression has no status
    return status, value["source"] if status == "unsubscribed" else "", stated
