"""A program that prints the cells of the workbook on standard input as JSON.

It prints a line with an object for each sheet, and after it a line with a list for each row.
"""

import json
import resource
import sys
from datetime import datetime
from typing import Any

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

_MAX_MEMORY = 1_073_741_824  # bytes of address space
_MAX_TIME = 120  # seconds of CPU time


def main() -> None:
    """Print the sheets; exit with another status than 0 if they cannot be read."""
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MAX_TIME, _MAX_TIME))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdin.buffer.seek(0)
    with CalamineWorkbook.from_filelike(sys.stdin.buffer) as workbook:
        for found in workbook.sheets_metadata:
            if found.typ == SheetTypeEnum.WorkSheet:
                hidden = found.visible != SheetVisibleEnum.Visible
                _print({"name": found.name, "hidden": hidden})
                _print_rows(workbook, found.name)


def _print_rows(workbook: CalamineWorkbook, name: str) -> None:
    for row in workbook.get_sheet_by_name(name).iter_rows():  # From the first row of the sheet.
        _print([_text(cell) for cell in row])


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
