"""Write rows as CSV, for spreadsheets and programs, or as JSON Lines, for programs."""

import csv
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TextIO

from preference_center.data.tabular.formulas import escape_formula


class RowWriter(Protocol):
    """Writes rows to a file."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Write the cells of one row by column name."""
        ...


class CsvWriter:
    """Writes CSV. With `escape`, a spreadsheet runs no cell as a formula (requirement S3)."""

    def __init__(self, file: TextIO, columns: Sequence[str], *, escape: bool) -> None:
        self._writer = csv.DictWriter(file, columns, lineterminator="\r\n")
        self._escape = escape
        self._writer.writeheader()

    def write(self, row: Mapping[str, Any]) -> None:
        """Write the cells of one row by column name."""
        if self._escape:
            row = {name: escape_formula(str(value)) for name, value in row.items()}
        self._writer.writerow(row)


class JsonLinesWriter:
    """Writes JSON Lines without escaping. An empty cell is null."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: Mapping[str, Any]) -> None:
        """Write the cells of one row by column name."""
        values = {name: value or None for name, value in row.items()}
        self._file.write(json.dumps(values, ensure_ascii=False) + "\n")
