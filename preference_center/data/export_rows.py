"""Read the rows of an export: batches of text, by column, in constant memory."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Date, Integer, LargeBinary, String, Uuid
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from preference_center.data.address_list import AddressList
from preference_center.data.export_formats import Cells, CellType, Column
from preference_center.store.seals import STATED_SOURCE
from preference_center.store.streaming import AnySelect, Batch, streamed
from preference_center.store.tables import Utc, Word
from preference_center.store.text_cells import as_text

_AFTER = "after"  # A column of the ledger that becomes the three of `_DETAILS`.
_DETAILS = (
    Column("status", CellType.WORD),
    Column("original_source", CellType.WORD),
    Column("stated_source", CellType.TEXT),
)


@dataclass(frozen=True)
class Rows:
    """The rows of one query, each with the columns of `columns`.

    An empty cell of the column `email` is filled from `addresses`, if it has the subscriber's.
    """

    query: AnySelect
    addresses: AddressList | None = None

    @property
    def columns(self) -> list[Column]:
        """Return the columns, with the ledger's `after` as three of them."""
        found: list[Column] = []
        for column in self.query.selected_columns:
            name = column.key or ""
            found += _DETAILS if name == _AFTER else [Column(name, _type(column.type))]
        return found

    @contextmanager
    def read(self, session: Session) -> Iterator[Iterator[list[Cells]]]:
        """Yield an iterator over batches. Until the block ends, run no other statement."""
        names = self.query.selected_columns.keys()
        steps: list[Callable[[list[Cells]], None]] = []
        if _AFTER in names:
            steps.append(lambda columns: _split_details(columns, names.index(_AFTER)))
        if (addresses := self.addresses) is not None:
            at = names.index("email"), names.index("id")
            steps.append(lambda columns: _fill_emails(columns, *at, addresses))
        with streamed(session, as_text(self.query)) as batches:
            yield (_columns(batch, steps) for batch in batches)


def _type(found: TypeEngine[Any]) -> CellType:
    match found:
        case Utc():
            return CellType.TIME
        case Date():
            return CellType.DATE
        case Integer():
            return CellType.NUMBER
        case Uuid() | LargeBinary():
            return CellType.ID
        case Word() | String(length=int()):  # Only names have a length: of topics, for example.
            return CellType.WORD
    return CellType.TEXT


def _columns(batch: Batch, steps: Sequence[Callable[[list[Cells]], None]]) -> list[Cells]:
    columns: list[Cells] = list(zip(*batch, strict=True))
    for step in steps:
        step(columns)
    return columns


def _fill_emails(columns: list[Cells], email: int, own_id: int, addresses: AddressList) -> None:
    pairs = list(zip(columns[email], columns[own_id], strict=True))
    found = addresses.among({own_id for known, own_id in pairs if not known})
    if found:
        columns[email] = [known or found.get(own_id, "") for known, own_id in pairs]


def _split_details(columns: list[Cells], at: int) -> None:
    """Replace the ledger's `after` by three columns."""
    # Details that were erased are empty. One call for all takes half the time of many.
    texts = ",".join(text or "{}" for text in columns[at])
    columns[at : at + 1] = zip(*map(_details_cells, json.loads(f"[{texts}]")), strict=True)


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
