"""Write XLSX: text as text, and times, days and numbers as Excel's own, so no cell is a formula.

Rows go to temporary files (`TMPDIR`), not to memory. The same rows give the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, BinaryIO

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from preference_center.core.errors import ExportRefusal
from preference_center.data.export_formats.cells import Cells, CellType, Column

MAX_ROWS = 1_048_576  # of a sheet, with its header
MAX_CELL = 32_767  # UTF-16 code units
_FIRST_YEAR = 1900  # Excel has no earlier day.
_CREATED = datetime(1980, 1, 1)  # noqa: DTZ001 (what the entries of the ZIP say, too)
_OPTIONS = {
    "constant_memory": True,
    "remove_timezone": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "use_zip64": True,
}
_FORMATS: Mapping[CellType, str] = {
    CellType.TIME: 'yyyy-mm-dd hh:mm:ss "UTC"',
    CellType.DATE: "yyyy-mm-dd",
}
_WIDTHS: Mapping[CellType, int] = {
    CellType.TEXT: 30,
    CellType.WORD: 16,
    CellType.ID: 38,
    CellType.NUMBER: 8,
    CellType.TIME: 25,
    CellType.DATE: 12,
}


class _PlainSheet(Worksheet):  # type: ignore[misc]  # XlsxWriter has no types.
    """A sheet without formatted text. XlsxWriter takes text like `<r>…</r>` for its markup."""

    def _xml_rich_inline_string(self, string: str, attributes: Any) -> None:
        self._xml_inline_string(string, True, attributes)


class XlsxExport:
    """Writes a workbook with a sheet for each `max_rows` rows, the header included.

    Raises:
        ExportRefusal: a text is longer than a cell can be.
    """

    def __init__(
        self, file: BinaryIO, columns: Sequence[Column], title: str, max_rows: int = MAX_ROWS
    ) -> None:
        self._columns, self._title, self._max_rows = columns, title, max_rows
        self._book = Workbook(file, _OPTIONS)
        self._book.set_properties({"created": _CREATED})
        self._header = self._book.add_format({"bold": True})
        formats = {key: self._book.add_format({"num_format": _FORMATS[key]}) for key in _FORMATS}
        self._formats = [formats.get(each.type) for each in columns]
        self._values = [_VALUES.get(each.type, str) for each in columns]
        self._add_sheet()

    def write(self, columns: Sequence[Cells]) -> None:
        """Write a batch."""
        for row in zip(*columns, strict=True):
            if self._row == self._max_rows:
                self._finish_sheet()
                self._add_sheet()
            for at, cell in enumerate(row):
                if cell:
                    self._write_cell(at, cell)
            self._row += 1

    def close(self) -> None:
        """Write the workbook."""
        self._finish_sheet()
        self._book.close()

    def _write_cell(self, at: int, cell: str) -> None:
        value = self._values[at](cell)
        if isinstance(value, str):
            if len(cell) > MAX_CELL // 2 and len(cell.encode("utf-16-le")) > 2 * MAX_CELL:
                raise ExportRefusal(
                    f"a text in the column {self._columns[at].name} has more than {MAX_CELL:,} "
                    "characters, which is the most that a cell of XLSX holds: use another format"
                )
            self._sheet.write_string(self._row, at, value)
        elif isinstance(value, int):
            self._sheet.write_number(self._row, at, value)
        else:
            self._sheet.write_datetime(self._row, at, value, self._formats[at])

    def _add_sheet(self) -> None:
        count = len(self._book.worksheets())
        name = f"{self._title} {count + 1}" if count else self._title
        self._sheet = self._book.add_worksheet(name, _PlainSheet)
        self._sheet.freeze_panes(1, 0)
        for at, column in enumerate(self._columns):
            self._sheet.set_column(at, at, _WIDTHS[column.type])
            self._sheet.write_string(0, at, column.name, self._header)
        self._row = 1

    def _finish_sheet(self) -> None:
        self._sheet.autofilter(0, 0, self._row - 1, len(self._columns) - 1)


def _time(cell: str) -> datetime | str:
    at = datetime.fromisoformat(cell)
    return cell if at.year < _FIRST_YEAR else at


def _date(cell: str) -> date | str:
    day = date.fromisoformat(cell)
    return cell if day.year < _FIRST_YEAR else day


_VALUES: Mapping[CellType, Callable[[str], str | int | date]] = {
    CellType.NUMBER: int,
    CellType.TIME: _time,
    CellType.DATE: _date,
}
