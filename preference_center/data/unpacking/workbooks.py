"""Turn the sheets of an Excel workbook (XLSX) into CSV.

The library that reads workbooks holds a whole sheet in memory, empty cells included, and ends the
process if there is not enough. A workbook of five kilobytes can ask for 500 GB. So the library runs
in a process of its own with a limit on its memory.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from zipfile import ZipFile

from preference_center.data.tabular import FileRefusedError
from preference_center.data.tabular.formulas import escape_formula
from preference_center.data.tabular.writers import csv_cell
from preference_center.data.unpacking.archives import check_contents
from preference_center.data.unpacking.scratch import Scratch, Slice

_MAX_FAULTS = 10_000  # of a sheet
_READER = "preference_center.data.unpacking.workbook_reader"


class Sheet(NamedTuple):
    """A sheet as CSV, whose lines are the rows of the sheet.

    `faults` has what is wrong with rows, by their numbers from 1.
    """

    name: str
    file: Slice
    hidden: bool
    faults: dict[int, str]


def is_workbook(archive: ZipFile) -> bool:
    """Return True if a ZIP archive is a workbook of Excel."""
    return {"[Content_Types].xml", "xl/workbook.xml"} <= set(archive.namelist())


def sheets_of(file: BinaryIO, archive: ZipFile, scratch: Scratch) -> list[Sheet]:
    """Return the sheets of a workbook that are not empty; raise FileRefusedError."""
    check_contents(archive, scratch.limit)
    sheets: list[Sheet] = []
    filled: set[str] = set()
    number = 0
    for line in _lines(file):
        found = json.loads(line)
        if "name" in found and isinstance(found, dict):
            sheets.append(Sheet(found["name"], scratch.new(), found["hidden"], {}))
            number = 0
            continue
        number += 1
        if isinstance(found, dict):
            _add_fault(sheets[-1].faults, number, found["fault"])
            found = found["cells"]
        if any(found):
            filled.add(sheets[-1].name)
        text = ",".join(map(_cell, found)) if any(found) else ""
        scratch.write(sheets[-1].file, f"{text}\n".encode("utf-8", "replace"))
    return [sheet for sheet in sheets if sheet.name in filled]


def _add_fault(faults: dict[int, str], number: int, why: str) -> None:
    if len(faults) >= _MAX_FAULTS:
        raise FileRefusedError(f"more than {_MAX_FAULTS:,} rows of a sheet have a fault: {why}")
    faults[number] = why


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield what the reader prints: a line for each sheet and each of its rows."""
    # Only the name of a module of ours is passed.
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", _READER],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as reader:
        assert reader.stdout is not None  # noqa: S101
        try:
            yield from reader.stdout
        finally:
            reader.kill()
    if reader.returncode:
        raise FileRefusedError(
            "the workbook cannot be read: it is damaged, protected by a password, or too large. "
            "Save it as CSV UTF-8 and import that"
        )


def _cell(text: str) -> str:
    """Return a cell as CSV. One with another separator is quoted, so that none is guessed."""
    cell = csv_cell(escape_formula(text))
    is_bare = not cell.startswith('"') and any(each in cell for each in ";\t|")
    return f'"{cell}"' if is_bare else cell
