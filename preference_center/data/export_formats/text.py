"""Write rows of text as CSV or JSON Lines, many at a time.

The CSV is what `csv.writer` writes after `escape_formula`, several times faster: most columns of
most batches have no cell that needs quotation marks or an apostrophe.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import BinaryIO

from preference_center.data.export_formats.cells import Cells, CellType, Column
from preference_center.data.tabular.formulas import TRIGGERS, escape_formula
from preference_center.data.tabular.writers import csv_cell

# In cells joined by "|". A cell where a trigger follows a comma or a line end is also found.
_SPECIAL = re.compile(f'[,"\r\n]|[;|\t][{TRIGGERS}]')
_encode = json.JSONEncoder(ensure_ascii=False).encode


_FREE = (CellType.TEXT, CellType.WORD)


class CsvExport:
    """Writes CSV in UTF-8."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], _: str) -> None:
        self._file = file
        self._names = [each.name for each in columns]
        self._free = {each.name for each in columns if each.type in _FREE}
        file.write((",".join(self._names) + "\r\n").encode())

    def write(self, columns: Sequence[Cells]) -> None:
        """Write a batch."""
        self._file.write(csv_lines(self._names, columns, self._free).encode())

    def close(self) -> None:
        """Do nothing: every batch is complete."""


class JsonLinesExport:
    """Writes JSON Lines in UTF-8."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], _: str) -> None:
        self._file = file
        self._names = [each.name for each in columns]

    def write(self, columns: Sequence[Cells]) -> None:
        """Write a batch."""
        self._file.write(json_lines(self._names, columns).encode())

    def close(self) -> None:
        """Do nothing: every batch is complete."""


def csv_lines(names: Sequence[str], columns: Iterable[Cells], free: Collection[str]) -> str:
    """Return the lines of a batch, which a spreadsheet does not run as formulas.

    `free` are the names of the columns that may hold any text.
    """
    written = [
        _csv_cells(column) if name in free else column
        for name, column in zip(names, columns, strict=True)
    ]
    return "".join([f"{line}\r\n" for line in map(",".join, zip(*written, strict=True))])


def json_lines(names: Sequence[str], columns: Iterable[Cells]) -> str:
    """Return the lines of a batch, without escaping. An empty cell is null."""
    rows = zip(*columns, strict=True)
    return "".join(
        _encode({name: cell or None for name, cell in zip(names, row, strict=True)}) + "\n"
        for row in rows
    )


def _csv_cells(column: Cells) -> Cells:
    if not _SPECIAL.search("|" + "|".join(column)):
        return column
    # Each different cell is escaped once: many rows have the same wording.
    cells = {cell: csv_cell(escape_formula(cell)) for cell in set(column)}
    return [cells[cell] for cell in column]
