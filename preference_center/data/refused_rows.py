"""Write the refused rows of an import to files."""

import codecs
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile

from preference_center.data.import_file import ImportFile
from preference_center.data.output_files import text_file, whole_file
from preference_center.data.tabular import CsvWriter, RefusedRow
from preference_center.data.unpacking import TABLES, UniqueNames

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
            part = f"{row.part}: " if row.part else ""
            writer.write({"line": row.line, "why": f"{part}{row.why}"})

        yield add


@contextmanager
def copying(target: Path | None, source: ImportFile, on_refused: OnRefused) -> Iterator[OnRefused]:
    """Yield a function that passes a refused row on and copies its bytes to `target`.

    `source` is the file that is imported. Several parts, or one whose name says what its rows mean,
    become a ZIP archive, whose entries have the names of the parts.
    """
    if target is None:
        yield on_refused
        return
    copy_all = _copying_parts if becomes_archive(source) else _copying_one
    with copy_all(target, source, on_refused) as copy:
        yield copy


def becomes_archive(source: ImportFile) -> bool:
    """Return True if the copy of the refused rows of a file is a ZIP archive."""
    return set(source.headers) != {""} or bool(source.telling_name)


@contextmanager
def _copying_one(target: Path, source: ImportFile, on_refused: OnRefused) -> Iterator[OnRefused]:
    header = source.headers[""]
    with whole_file(target, even_if_cut_short=True) as file:
        file.write(header)

        def copy(row: RefusedRow) -> None:
            _write(file, row, header)
            on_refused(row)

        yield copy


@contextmanager
def _copying_parts(target: Path, source: ImportFile, on_refused: OnRefused) -> Iterator[OnRefused]:
    with ExitStack() as stack:
        out = stack.enter_context(whole_file(target, even_if_cut_short=True))
        parts: dict[str, BinaryIO] = {}

        def copy(row: RefusedRow) -> None:
            name, header = row.part or source.telling_name, source.headers[row.part]
            if name not in parts:
                parts[name] = stack.enter_context(TemporaryFile())
                parts[name].write(header)
            _write(parts[name], row, header)
            on_refused(row)

        try:
            yield copy
        finally:
            _archive(out, parts)


def _archive(out: BinaryIO, parts: Mapping[str, BinaryIO]) -> None:
    """Write files as the entries of a ZIP archive; sheets of a workbook become CSV."""
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        names = UniqueNames()  # A sheet `a` and an entry `a.csv` would have the same name.
        for name, file in parts.items():
            file.seek(0)
            is_sheet = not name.lower().endswith(TABLES)
            with archive.open(names.new(f"{name}.csv" if is_sheet else name), "w") as entry:
                shutil.copyfileobj(file, entry)


def _write(file: BinaryIO, row: RefusedRow, header: bytes) -> None:
    last = b""
    for last in row.pieces():
        file.write(last)
    if not last.endswith(_line_ends(header)):  # The last line of a file may have none.
        file.write(_line_ends(header)[0])


def _line_ends(header: bytes) -> tuple[bytes, bytes]:
    """Return LF and CR in the encoding of a file that begins with `header`."""
    if header.startswith(codecs.BOM_UTF16_LE):
        return b"\n\0", b"\r\0"
    if header.startswith(codecs.BOM_UTF16_BE):
        return b"\0\n", b"\0\r"
    return b"\n", b"\r"
