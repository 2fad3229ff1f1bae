"""A program that prints the cells of the workbook on standard input as JSON.

It prints a line with an object for each sheet, and after it a line for each row: a list of cells,
or an object with `cells` and the `fault` of the row.
"""

import json
import resource
import sys
from datetime import datetime
from typing import Any
from zipfile import ZipFile

from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from preference_center.data.unpacking.workbook_faults import (
    MERGED,
    NO_VALUE,
    paths_of,
    rows_without_value,
)

_MAX_MEMORY = 1_073_741_824  # bytes of address space
_MAX_TIME = 120  # seconds of CPU time
_MAX_CELL = 32_767  # characters, as in Excel
_MAX_ROW = 1_048_576  # characters


def main() -> None:
    """Print the sheets; exit with another status than 0 if they cannot be read."""
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MAX_TIME, _MAX_TIME))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    file = sys.stdin.buffer
    file.seek(0)
    with CalamineWorkbook.from_filelike(file) as workbook, ZipFile(file) as archive:
        paths = paths_of(archive)
        for found in workbook.sheets_metadata:
            if found.typ == SheetTypeEnum.WorkSheet:
                hidden = found.visible != SheetVisibleEnum.Visible
                _print({"name": found.name, "hidden": hidden})
                _print_rows(
                    workbook.get_sheet_by_name(found.name),
                    rows_without_value(archive, paths[found.name]),
                )


def _print_rows(sheet: CalamineSheet, without_value: set[int]) -> None:
    ranges = sheet.merged_cell_ranges or ()
    merged = sorted(((start[0], end[0]) for start, end in ranges), reverse=True)
    last_merged = -1
    for index, row in enumerate(sheet.iter_rows()):  # From the first row of the sheet.
        while merged and merged[-1][0] <= index:
            last_merged = max(last_merged, merged.pop()[1])
        cells = [_text(cell) for cell in row]
        if max(map(len, cells), default=0) > _MAX_CELL or sum(map(len, cells)) > _MAX_ROW:
            sys.exit(1)
        if index + 1 in without_value:
            _print({"cells": cells, "fault": NO_VALUE})
        elif index <= last_merged:
            _print({"cells": cells, "fault": MERGED})
        else:
            _print(cells)


def _text(cell: Any) -> str:
    """Return a cell as text on one line."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat()
    return " ".join(str(cell).splitlines())


def _print(value: Any) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")


if __name__ == "__main__":
    main()
