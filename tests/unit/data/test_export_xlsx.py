"""XLSX exports, as openpyxl and calamine read them."""

import io
import zipfile
from datetime import UTC, date, datetime
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet
from python_calamine import CalamineWorkbook

from preference_center.core.errors import ExportRefusal
from preference_center.data.export_formats import CellType, Column
from preference_center.data.export_formats.xlsx import MAX_CELL, XlsxExport

COLUMNS = [
    Column("email", CellType.TEXT),
    Column("seq", CellType.NUMBER),
    Column("at", CellType.TIME),
    Column("day", CellType.DATE),
]
TEXTS = [
    "=1+1",
    "=HYPERLINK(1)",
    "{=1}",
    "+1",
    "-1",
    "@x",
    "'=1",
    "https://example.org/",
    "mailto:ada@example.org",
    "0042",
    "1e3",
    "2026-11-22",
    " x ",
    "a\nb",
    "a\tb",
    "a\r\nb",
    "\x0b",
    "_x0041_",
    "<r>",
    "<r><t>x</t></r>",
    "<r></is></c></row>",
    "</t>&amp;",
    "\u2028é\u0301😀",
    "TRUE",
    "#N/A",
]


def _written(
    rows: list[tuple[str, ...]], columns: list[Column] = COLUMNS, **options: int
) -> io.BytesIO:
    file = io.BytesIO()
    writer = XlsxExport(file, columns, "people", **options)
    if rows:
        writer.write(list(zip(*rows, strict=True)))
    writer.close()
    file.seek(0)
    return file


def _sheets(file: io.BytesIO) -> list[Worksheet]:
    return [each for each in load_workbook(file).worksheets if isinstance(each, Worksheet)]


def _read(file: io.BytesIO) -> list[list[Any]]:
    file.seek(0)
    return CalamineWorkbook.from_filelike(file).get_sheet_by_index(0).to_python()


def test_every_text_is_text_and_never_a_formula() -> None:
    file = _written([(text,) for text in TEXTS], COLUMNS[:1])
    (sheet,) = _sheets(file)
    cells = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert {(each.data_type, each.hyperlink) for each in cells} == {("s", None)}
    assert len(cells) == len(TEXTS)
    content = zipfile.ZipFile(file).read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in content
    assert b"<hyperlink" not in content
    assert [row[0] for row in _read(file)] == ["email", *TEXTS]


def test_times_days_and_numbers_are_typed() -> None:
    row = ("ada@example.org", "12", "2026-11-22T14:05:00.250000+00:00", "2026-11-23")
    file = _written([row, ("", "", "", "")])
    (sheet,) = _sheets(file)
    header, first, empty = ([*each] for each in sheet.iter_rows(min_row=1, max_row=3))
    assert [each.value for each in header] == ["email", "seq", "at", "day"]
    at = datetime(2026, 11, 22, 14, 5, 0, 250_000, UTC).replace(tzinfo=None)
    assert [each.value for each in first] == [row[0], 12, at, datetime(2026, 11, 23)]  # noqa: DTZ001
    assert [each.is_date for each in first] == [False, False, True, True]
    assert first[2].number_format == 'yyyy-mm-dd hh:mm:ss "UTC"'
    assert [each.value for each in empty] == [None] * 4
    assert _read(file)[1] == [row[0], 12.0, at, date(2026, 11, 23)]


def test_what_excel_cannot_date_is_text() -> None:
    file = _written([("x", "1", "1899-12-31T23:59:59+00:00", "0001-01-01")])
    (sheet,) = _sheets(file)
    values = [each.value for each in sheet[2]]
    assert values == ["x", 1, "1899-12-31T23:59:59+00:00", "0001-01-01"]


def test_the_header_stays_in_view_and_has_a_filter() -> None:
    (sheet,) = _sheets(_written([("x", "1", "", "")] * 3))
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:D4"
    widths = {name: each.width for name, each in sheet.column_dimensions.items()}
    assert widths.keys() == {"A", "B", "C", "D"}
    assert widths["A"] > widths["B"]


def test_more_rows_than_a_sheet_holds_are_on_further_sheets() -> None:
    file = _written([(f"p{number}", "", "", "") for number in range(7)], max_rows=4)
    sheets = _sheets(file)
    assert [each.title for each in sheets] == ["people", "people 2", "people 3"]
    values = [[row[0].value for row in sheet.iter_rows()] for sheet in sheets]
    assert values == [
        ["email", "p0", "p1", "p2"],
        ["email", "p3", "p4", "p5"],
        ["email", "p6"],
    ]
    assert {sheet.freeze_panes for sheet in sheets} == {"A2"}


def test_an_export_without_rows_has_a_header() -> None:
    (sheet,) = _sheets(_written([]))
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [
        ["email", "seq", "at", "day"]
    ]


@pytest.mark.parametrize(("char", "units"), [("x", 1), ("😀", 2)])
def test_a_text_that_no_cell_holds_is_refused(char: str, units: int) -> None:
    longest = char * (MAX_CELL // units)
    (sheet,) = _sheets(_written([(longest,)], COLUMNS[:1]))
    assert sheet["A2"].value == longest
    writer = XlsxExport(io.BytesIO(), COLUMNS[:1], "people")
    with pytest.raises(ExportRefusal, match="in the column email has more than 32,767"):
        writer.write([[longest + char]])
    writer.close()
