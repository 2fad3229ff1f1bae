"""Rows in and out of files: CSV as spreadsheets and other tools write it, and JSON Lines.

Files come from anywhere, so nothing in them is trusted: a row that cannot be read is refused
with its line and the reason, and the rows after it are read all the same. Memory stays flat
whatever the length of a line or a file.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, TextIO

LONGEST_LINE = 65_536  # bytes; a thousand rows are held at a time
_FORMULA_STARTS = ("'", "=", "+", "-", "@", "\t", "\r", "\n")


class FileRefusedError(Exception):
    """A file as a whole cannot be read: no header, no text, a column missing."""


@dataclass(frozen=True)
class Row:
    """One row's cells by column name, and the line of the file it begins on.

    Cells of CSV may be escaped against formulas; those of JSON Lines are `raw`.
    """

    line: int
    cells: Mapping[str, str]
    raw: bool = False
    problems: tuple[str, ...] = ()

    def refused(self, why: str = "") -> "RefusedRow":
        """Return this row as refused, for `why` and for its own problems."""
        return RefusedRow(self.line, "; ".join(filter(None, (why, *self.problems))))

    def plain(self) -> dict[str, str]:
        """Return the cells as they were before any escaping."""
        if self.raw:
            return dict(self.cells)
        return {name: unescape_formula(value) for name, value in self.cells.items()}


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot be used: its line and why. It holds nothing of the row itself."""

    line: int
    why: str


class RowWriter(Protocol):
    """Writes rows of one kind of file."""

    def write(self, row: Mapping[str, Any]) -> None: ...


class _Lines:
    """The lines of a file as text. One that is too long or no UTF-8 raises; the next is read.

    So does a row of many lines, which are held until its end is found.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._first = True
        self._row_began = 0
        self.number = 0
        self.bytes = 0

    def begin_row(self) -> None:
        self._row_began = self.bytes

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.bytes += len(line)
        first, self._first = self._first, False
        if first and line.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise FileRefusedError("the file is UTF-16: save it as CSV UTF-8")
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = self._file.readline(LONGEST_LINE)
                self.bytes += len(line)
            raise csv.Error(f"the line is longer than {LONGEST_LINE:,} bytes")
        if self.bytes - self._row_began > LONGEST_LINE:
            raise csv.Error("a quotation mark is opened here and not closed")
        if b"\x00" in line:
            raise csv.Error("the line contains a NUL")
        return line.decode("utf-8-sig" if first else "utf-8")


def read_csv(file: BinaryIO) -> "CsvFile":
    """Return the rows of a CSV file in UTF-8, with or without a BOM; raise FileRefusedError."""
    return CsvFile(file)


class CsvFile:
    """A CSV file that is being read: `columns`, then a Row or RefusedRow for each row."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = _Lines(file)
        self._reader = csv.reader(self._lines, strict=True)
        try:
            header = next(self._reader)
        except StopIteration:
            raise FileRefusedError("the file is empty") from None
        except (csv.Error, UnicodeDecodeError) as error:
            raise FileRefusedError(f"the header cannot be read: {_why(error)}") from None
        self.columns = [name.strip().lower() for name in header]
        if len(set(self.columns)) < len(self.columns):
            raise FileRefusedError("two columns have the same name")

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        while True:
            line = self._lines.number + 1
            self._lines.begin_row()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except (csv.Error, UnicodeDecodeError) as error:
                yield RefusedRow(line, _why(error) + self._swallowed(line))
                continue
            if not any(cells):
                continue
            if len(cells) == len(self.columns):
                yield Row(line, dict(zip(self.columns, cells, strict=True)))
            else:
                why = f"{len(cells)} cells where the header has {len(self.columns)}"
                yield RefusedRow(line, why + self._swallowed(line))

    def _swallowed(self, first: int) -> str:
        """Say which lines a refused row took with it, where it is more than its own."""
        last = self._lines.number
        return f" (lines {first} to {last} were not read)" if last > first else ""


def read_json_lines(file: BinaryIO) -> Iterator[Row | RefusedRow]:
    """Yield the rows of a JSON Lines file: an object of strings and nulls on each line."""
    lines = _Lines(file)
    while True:
        lines.begin_row()
        try:
            cells = _json_cells(next(lines))
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError) as error:
            yield RefusedRow(lines.number, _why(error))
        except (ValueError, TypeError, RecursionError):
            yield RefusedRow(lines.number, "not an object of strings and nulls")
        else:
            if cells:
                yield Row(lines.number, cells, raw=True)


def _json_cells(line: str) -> dict[str, str]:
    cells = json.loads(line, object_pairs_hook=_once_each) if line.strip() else {}
    if not isinstance(cells, dict):
        raise TypeError
    plain = {name: "" if value is None else value for name, value in cells.items()}
    if not all(isinstance(value, str) for value in plain.values()):
        raise TypeError
    "".join(plain.values()).encode()  # half of a surrogate pair is no text: ValueError
    return plain


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    cells = {name.strip().lower(): value for name, value in pairs}
    if len(cells) < len(pairs):
        raise TypeError  # two cells of one name: neither may win
    return cells


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


def escape_formula(cell: str) -> str:
    """Return a cell that a spreadsheet takes as text."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def unescape_formula(cell: str) -> str:
    """Return what `escape_formula` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA_STARTS) else cell


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "the line is not UTF-8: save the file as CSV UTF-8"
    if "unexpected end of data" in str(error) or "field limit" in str(error):
        return "a quotation mark is opened here and not closed"
    return str(error)
