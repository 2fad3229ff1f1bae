"""CSV as it comes: any usual separator, encoding and line end, ragged rows, stray quotes."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import BinaryIO

from preference_center.data.tabular.formulas import unescape_formula
from preference_center.data.tabular.lines import MAX_LINE, Line, Lines
from preference_center.data.tabular.names import fold
from preference_center.data.tabular.row import FileRefusedError, RefusedRow, Row

_MAX_COLUMNS = 16_384  # as many as Excel has
_BYTES_A_LINE = 256  # what a line takes in memory beside its text
_SEPARATORS = ",;\t|"  # the first of them where a header has none
_SEP_LINE = re.compile(r'"?sep=([^\w"\r\n])"?[\r\n]*', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')

csv.field_size_limit(2 * MAX_LINE)  # ours on lines is lower, and comes first


def read_csv(file: BinaryIO) -> "CsvFile":
    """Return the rows of a CSV file; raise FileRefusedError."""
    return CsvFile(Lines(file))


class CsvFile:
    """A CSV file that is being read: its columns, then a Row for each row that is not empty.

    `columns` has a name for each column, in lower case and each once: a second column `name` is
    `name (2)`, and a third column without a name is `column 3`. `header` is what comes before the
    rows, with its byte order mark, as it came.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.header = lines.mark
        separator = self._separator_used = self._separator()
        self._row = _RowLines(self._lines)
        self._reader = csv.reader(self._row, delimiter=separator, strict=True)
        self._alone = _OneLine(separator)
        try:
            names = next(self._reader)
        except csv.Error:
            raise FileRefusedError(f"the header cannot be read: {self._row.fault()}") from None
        if any("\0" in name for name in names) or len(names) > _MAX_COLUMNS:
            raise FileRefusedError("the first line is not a header: save the file as CSV UTF-8")
        self.header += b"".join(line.raw for line in self._row.taken)
        self._names = [name.replace("\ufeff", "").strip().lower() for name in names]
        while self._names and not self._names[-1]:
            self._names.pop()
        self.columns = _each_once(self._names)

    def refuse_repeated(self, used: Collection[str]) -> None:
        """Raise FileRefusedError where two columns have one name, and it is one of `used`.

        Names are compared by their letters and digits alone.
        """
        plain = {fold(name) for name in used}
        for name, times in Counter(self._names).items():
            if times > 1 and fold(name) in plain:
                raise FileRefusedError(f"two columns are named {name}: rename or remove one")

    def rename(self, names: Mapping[str, str]) -> None:
        """Give columns other names in the rows still to come: `names` maps old to new."""
        self.columns = [names.get(name, name) for name in self.columns]
        self._names = [names.get(name, name) for name in self._names]

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        while True:
            self._row.begin()
            try:
                cells, problems = next(self._reader), []
            except StopIteration:
                return
            except csv.Error:
                problems = [self._row.fault()]
                cells = self._alone.cells(self._row.keep_first(), len(self.columns))
            if any(cells) or problems:
                yield self._whole(cells, problems)

    def _separator(self) -> str:
        """Return what separates cells, by a line `sep=;` or by the header, which is put back."""
        first = self._lines.peek()
        if found := _SEP_LINE.fullmatch(first):
            self.header += next(self._lines).raw
            first = self._lines.peek()
        if not first:
            raise FileRefusedError("the file is empty")
        if first.lstrip().startswith("{"):
            raise FileRefusedError("the first line is JSON: it is not the header of a CSV file")
        outside_quotes = _QUOTED.sub("", first)
        return found[1] if found else max(_SEPARATORS, key=outside_quotes.count)

    def _whole(self, cells: list[str], problems: list[str]) -> Row:
        """Return a row that has as many cells as there are columns."""
        lines, width = self._row.taken, len(self.columns)
        problems = [problem for line in lines for problem in line.problems] + problems
        _fit(cells, width)
        if any(self._is_like_a_row(line) for line in lines[1:]):
            last = lines[-1].number
            problems.append(f"lines {lines[0].number} to {last} are one row, by quotation marks")
        if len(cells) != width:
            last = lines[-1].number
            where = f" (lines {lines[0].number} to {last})" if len(lines) > 1 else ""
            problems.append(f"{len(cells)} cells where the header has {width}{where}")
            cells += [""] * (width - len(cells))
        return Row(
            lines[0].number,
            dict(zip(self.columns, map(unescape_formula, cells), strict=False)),
            tuple(dict.fromkeys(problems)) if problems else (),
            b"".join([line.raw for line in lines]),
            lines[-1].rest,  # A line that is cut is a row of its own.
        )

    def _is_like_a_row(self, line: Line) -> bool:
        """Return True if a line within a row looks like a row: a stray quotation mark hides it."""
        return "@" in line.text and line.text.count(self._separator_used) >= len(self.columns) - 1


class _RowLines:
    """The lines of one row, as csv.reader takes them; too many of them raise csv.Error."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.begin()

    def begin(self) -> None:
        self.taken: list[Line] = []
        self._size = 0

    def __iter__(self) -> "_RowLines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        self._size += len(line.text) + _BYTES_A_LINE
        if line.cut or self._size > MAX_LINE:
            raise csv.Error
        return line.text

    def fault(self) -> str:
        """Say why these lines are not a row."""
        if self.taken[0].cut:
            return self.taken[0].problems[-1]
        return "a quotation mark is not closed, or is in the middle of a cell"

    def keep_first(self) -> Line:
        """Return the first line, and have the others read again, each as a row of its own."""
        self._lines.put_back(self.taken[1:])
        del self.taken[1:]
        return self.taken[0]


def _fit(cells: list[str], width: int) -> None:
    """Remove empty cells beyond the `width` of the header."""
    while len(cells) > width and not cells[-1].strip():
        cells.pop()


class _OneLine:
    """Reads a line by itself whose quotation marks are not as they should be."""

    def __init__(self, separator: str) -> None:
        self._separator = separator

    def cells(self, line: Line, width: int) -> list[str]:
        """Return the line's cells, read in whichever way gives `width` of them."""
        text = line.text.rstrip("\r\n")
        quoted: list[str] = next(csv.reader([text], delimiter=self._separator), [])
        if line.cut:
            return quoted[:-1]  # half a cell may be another person's address
        bare = [cell.strip().strip('"') for cell in text.split(self._separator)]
        return bare if len(bare) == width != len(quoted) else quoted


def _each_once(names: Sequence[str]) -> list[str]:
    times: Counter[str] = Counter()
    columns: dict[str, None] = {}
    for position, name in enumerate(names, start=1):
        column = name or f"column {position}"
        while column in columns:
            times[name] += 1
            column = f"{name} ({times[name] + 1})"
        columns[column] = None
    return list(columns)
