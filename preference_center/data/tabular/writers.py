"""Write rows as CSV, for spreadsheets and programs."""

import csv
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from preference_center.data.tabular.formulas import escape_formula


class CsvWriter:
    """Writes CSV. With `escape`, a spreadsheet runs no cell as a formula (requirement S3)."""

    def __init__(self, file: TextIO, columns: Sequence[str], *, escape: bool) -> None:
        self._writer = csv.writer(file, lineterminator="\r\n")
        self._columns = tuple(columns)
        self._known = frozenset(columns)
        self._escape = escape
        self._writer.writerow(columns)

    def write(self, row: Mapping[str, Any]) -> None:
        """Write the cells of one row by column name. A column without a cell is empty.

        Raises:
            ValueError: the row has a cell of another column.
        """
        if not row.keys() <= self._known:
            raise ValueError("the row has a cell of a column that the file does not have")
        if self._escape:
            row = {name: escape_formula(str(value)) for name, value in row.items()}
        self._writer.writerow(map(row.get, self._columns))
