"""Write the refused rows of an import to files."""

import codecs
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from preference_center.data.output_files import text_file, whole_file
from preference_center.data.tabular import CsvWriter, RefusedRow

OnRefused = Callable[[RefusedRow], None]


@contextmanager
def reporting(report: Path | None, on_refused: OnRefused) -> Iterator[OnRefused]:
    """Yield a function that passes a refused row on and adds its line and reason to `report`."""
    if report is None:
        yield on_refused
        return
    with text_file(report) as file:
        writer = CsvWriter(file, ("line", "why"), escape=True)

        def add(row: RefusedRow) -> None:
            on_refused(row)
            writer.write({"line": row.line, "why": row.why})

        yield add


@contextmanager
def copying(
    target: Path | None, source: BinaryIO, header: bytes, on_refused: OnRefused
) -> Iterator[OnRefused]:
    """Yield a function that passes a refused row on and copies its bytes to `target`."""
    if target is None:
        yield on_refused
        return
    if _is_same_file(source, target):
        raise click.UsageError("--refused must name another file than the one that is imported.")
    with whole_file(target, even_if_cut_short=True) as file:
        file.write(header)

        def copy(row: RefusedRow) -> None:
            last = b""
            for last in row.pieces():
                file.write(last)
            if not last.endswith(_line_ends(header)):  # The last line of a file may have none.
                file.write(_line_ends(header)[0])
            on_refused(row)

        yield copy


def _line_ends(header: bytes) -> tuple[bytes, bytes]:
    """Return LF and CR in the encoding of a file that begins with `header`."""
    if header.startswith(codecs.BOM_UTF16_LE):
        return b"\n\0", b"\r\0"
    if header.startswith(codecs.BOM_UTF16_BE):
        return b"\0\n", b"\0\r"
    return b"\n", b"\r"


def _is_same_file(source: BinaryIO, target: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(source.fileno()), target.stat())
    except OSError:  # The target does not exist yet, or a test's source is not a real file.
        return False
