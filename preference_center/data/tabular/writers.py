"""Write rows as CSV, for spreadsheets and programs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from preference_center.data.tabular.formulas import escape_formula

_EMPTY_CELL = '""'  # An empty line would not be a row.


class CsvWriter:
    """Writes CSV. With `escape`, a spreadsheet runs no cell as a formula (requirement S3)."""

    def __init__(self, file: TextIO, columns: Sequence[str], *, escape: bool) -> None:
        self._file = file
        self._columns = tuple(columns)
        self._known = frozenset(columns)
        self._escape = escape
        self._write_cells(columns)

    def write(self, row: Mapping[str, Any]) -> None:
        """Write the cells of one row by column name. A column without a cell is empty.

        Raises:
            ValueError: the row has a cell of another column.
        """
        if not row.keys() <= self._known:
            raise ValueError("the row has a cell of a column that the file does not have")
        if self._escape:
            row = {name: escape_formula(str(value)) for name, value in row.items()}
        self._write_cells(map(row.get, self._columns))

    def _write_cells(self, cells: Iterable[Any]) -> None:
        line = ",".join(map(csv_cell, cells))
        self._file.write(f"{line or _EMPTY_CELL}\r\n")


def csv_cell(value: Any) -> str:
    """Return a cell exactly as `csv.writer` writes it, but in a fraction of the time."""
    text = "" if value is None else str(value)
    if "," in text or '"' in text or "\n" in text or "\r" in text:
        text = text.replace('"', '""')
        return f'"{text}"'
    return text
