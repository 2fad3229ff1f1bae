"""What writes rows: CSV for spreadsheets and programs, JSON Lines for programs."""

import csv
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TextIO

from preference_center.data.tabular.formulas import escape_formula


class RowWriter(Protocol):
    """Writes rows of one kind of file."""

    def write(self, row: Mapping[str, Any]) -> None: ...


class CsvWriter:
    """Writes CSV. With `escape`, no cell runs as a formula in a spreadsheet (requirement S3)."""

    def __init__(self, file: TextIO, columns: Sequence[str], *, escape: bool) -> None:
        self._writer = csv.DictWriter(file, columns, lineterminator="\r\n")
        self._escape = escape
        self._writer.writeheader()

    def write(self, row: Mapping[str, Any]) -> None:
        if self._escape:
            row = {name: escape_formula(str(value)) for name, value in row.items()}
        self._writer.writerow(row)


class JsonLinesWriter:
    """Writes JSON Lines, raw: what is empty in CSV is null here."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: Mapping[str, Any]) -> None:
        values = {name: value or None for name, value in row.items()}
        self._file.write(json.dumps(values, ensure_ascii=False) + "\n")
