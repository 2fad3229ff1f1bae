"""Read CSV with any usual separator, encoding and line end, ragged rows and stray quotes."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import BinaryIO

from preference_center.data.tabular.formulas import unescape_formula
from preference_center.data.tabular.lines import MAX_LINE, Line, Lines
from preference_center.data.tabular.names import fold
from preference_center.data.tabular.row import FileRefusedError, RefusedRow, Row

_MAX_COLUMNS = 16_384  # the limit of Excel
_LINE_OVERHEAD = 256  # bytes of memory in addition to the text of a line
_SEPARATORS = ",;\t|"  # The first is used if the header has none of them.
_SEP_LINE = re.compile(r'"?sep=([^\w"\r\n])"?[\r\n]*', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')

csv.field_size_limit(2 * MAX_LINE)  # Never reached: the limit on lines is lower.


def read_csv(file: BinaryIO, names: Sequence[str] | None = None) -> "CsvFile":
    """Return the rows of a CSV file; raise FileRefusedError.

    `names` are those of its columns, for a file without a header.
    """
    return CsvFile(Lines(file), names)


class CsvFile:
    """A CSV file: its columns, and an iterator over its rows that are not empty.

    `columns` has a unique lower-case name for each column: a second column `name` is `name (2)`,
    and a third column without a name is `column 3`. `spelled` has the same names, with the capital
    letters of the file. `header` has the bytes before the first row,
    with the byte order mark.
    """

    def __init__(self, lines: Lines, names: Sequence[str] | None = None) -> None:
        self._lines = lines
        self.header = lines.mark
        separator = self._separator_used = self._separator()
        self._row = _RowLines(self._lines)
        self._reader = csv.reader(self._row, delimiter=separator, strict=True)
        self._single_line = _SingleLine(separator)
        if names is None:
            names = self._read_header()
        written = [name.replace("\ufeff", "").strip() for name in names]
        while written and not written[-1]:
            written.pop()
        self._names = [name.lower() for name in written]
        self.columns = _unique(self._names)
        self.spelled = tuple(map(_spelled, written, self.columns))

    def _read_header(self) -> list[str]:
        try:
            names = next(self._reader)
        except csv.Error:
            raise FileRefusedError(f"the header cannot be read: {self._row.problem()}") from None
        if any("\0" in name for name in names) or len(names) > _MAX_COLUMNS:
            raise FileRefusedError("the first line is not a header: save the file as CSV UTF-8")
        self.header += b"".join(line.raw for line in self._row.taken)
        return names

    def refuse_repeated(self, used: Collection[str]) -> None:
        """Raise FileRefusedError if two columns have the same name and it is one of `used`.

        Names are compared by their letters and digits.
        """
        folded = {fold(name) for name in used}
        for name, times in Counter(self._names).items():
            if times > 1 and fold(name) in folded:
                raise FileRefusedError(f"two columns are named {name}: rename or remove one")

    def rename(self, names: Mapping[str, str]) -> None:
        """Rename columns in the rows that are read from now on: `names` maps old to new."""
        self.columns = [names.get(name, name) for name in self.columns]
        self._names = [names.get(name, name) for name in self._names]
        self.spelled = tuple(self.columns)

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        while True:
            self._row.begin()
            try:
                cells, problems = next(self._reader), []
            except StopIteration:
                return
            except csv.Error:
                problems = [self._row.problem()]
                cells = self._single_line.cells(self._row.keep_first(), len(self.columns))
            if any(cells) or problems:
                yield self._to_row(cells, problems)

    def _separator(self) -> str:
        """Return the separator: that of a line `sep=;`, or the most frequent one in the header."""
        first = self._lines.peek()
        if found := _SEP_LINE.fullmatch(first):
            self.header += next(self._lines).raw
            first = self._lines.peek()
        if not first:
            raise FileRefusedError("the file is empty")
        if first.lstrip().startswith("{"):
            raise FileRefusedError("the first line is JSON, not the header of a CSV file")
        outside_quotes = _QUOTED.sub("", first)
        return found[1] if found else max(_SEPARATORS, key=outside_quotes.count)

    def _to_row(self, cells: list[str], problems: list[str]) -> Row:
        """Return a row with as many cells as there are columns."""
        lines = self._row.taken
        of_lines = [problem for line in lines for problem in line.problems]
        problems = of_lines + problems + self._fit(cells)
        return Row(
            lines[0].number,
            dict(zip(self.columns, map(unescape_formula, cells), strict=False)),
            tuple(dict.fromkeys(problems)) if problems else (),
            b"".join([line.raw for line in lines]),
            lines[-1].rest,  # A line that is cut is always a row of its own.
            spelled=self.spelled,
        )

    def _fit(self, cells: list[str]) -> list[str]:
        """Make a row as wide as the header, and return the problems with its lines and width."""
        lines, width, problems = self._row.taken, len(self.columns), []
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(lines) > 1 and any(map(self._is_like_a_row, lines[1:])):
            problems.append(f"quotation marks join {_span(lines)} into one row")
        if len(cells) != width:
            where = f" ({_span(lines)})" if len(lines) > 1 else ""
            problems.append(f"{len(cells)} cells where the header has {width}{where}")
            cells += [""] * (width - len(cells))
        return problems

    def _is_like_a_row(self, line: Line) -> bool:
        """Return True if a line within a row looks like a row that a stray quotation mark hides."""
        return "@" in line.text and line.text.count(self._separator_used) >= len(self.columns) - 1


class _RowLines:
    """The lines of one row, for csv.reader. Raises csv.Error if they are too long."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.begin()

    def begin(self) -> None:
        """Start a new row."""
        self.taken: list[Line] = []
        self._size = 0

    def __iter__(self) -> "_RowLines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        self._size += len(line.text) + _LINE_OVERHEAD
        if line.cut or self._size > MAX_LINE:
            raise csv.Error
        return line.text

    def problem(self) -> str:
        """Return why these lines cannot be read as a row."""
        if self.taken[0].cut:
            return self.taken[0].problems[-1]
        return "a quotation mark is not closed, or is in the middle of a cell"

    def keep_first(self) -> Line:
        """Return the first line, and put back the others to be read as rows of their own."""
        self._lines.put_back(self.taken[1:])
        del self.taken[1:]
        return self.taken[0]


class _SingleLine:
    """Reads a single line whose quotation marks are wrong."""

    def __init__(self, separator: str) -> None:
        self._separator = separator

    def cells(self, line: Line, width: int) -> list[str]:
        """Return the cells, split with or without regard to quotes so that `width` result."""
        text = line.text.rstrip("\r\n")
        quoted: list[str] = next(csv.reader([text], delimiter=self._separator), [])
        if line.cut:
            return quoted[:-1]  # Half of an address may be another person's.
        bare = [cell.strip().strip('"') for cell in text.split(self._separator)]
        return bare if len(bare) == width != len(quoted) else quoted


def _span(lines: Sequence[Line]) -> str:
    return f"lines {lines[0].number} to {lines[-1].number}"


def _spelled(written: str, column: str) -> str:
    """Return the name of a column with the capital letters that it is written with."""
    return written + column.removeprefix(written.lower())


def _unique(names: Sequence[str]) -> list[str]:
    times: Counter[str] = Counter()
    columns: dict[str, None] = {}
    for position, name in enumerate(names, start=1):
        column = name or f"column {position}"
        while column in columns:
            times[name] += 1
            column = f"{name} ({times[name] + 1})"
        columns[column] = None
    return list(columns)
