"""Write all that is held on one person as a ZIP: each kind of data as JSON and as CSV."""

import json
from collections.abc import Iterator
from datetime import datetime
from io import TextIOWrapper
from typing import IO, Any, TextIO
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sqlalchemy.orm import Session

from preference_center.core import personal_data
from preference_center.core.personal_data import Section
from preference_center.data.tabular import CsvWriter

FILE_NAME = "my-data.zip"
Rows = Iterator[dict[str, Any]]


def write(
    session: Session, subscriber_id: UUID, file: IO[bytes], readme: str, now: datetime
) -> None:
    """Write the copy, with `readme` as README.txt. Rows are read as they are written."""
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        with _opened(archive, "README.txt", now) as text:
            text.write(readme)
        for name, section in personal_data.SECTIONS.items():
            with _opened(archive, f"json/{name}.json", now) as text:
                _write_json(text, personal_data.rows(session, section, subscriber_id))
            with _opened(archive, f"csv/{name}.csv", now) as text:
                _write_csv(text, section, personal_data.rows(session, section, subscriber_id))


def _opened(archive: ZipFile, name: str, now: datetime) -> TextIOWrapper:
    info = ZipInfo(name, now.timetuple()[:6])
    info.compress_type = ZIP_DEFLATED
    return TextIOWrapper(archive.open(info, "w"), encoding="utf-8", newline="")


def _write_json(file: TextIO, rows: Rows) -> None:
    """Write a list of objects."""
    before = "[\n"
    for row in rows:
        file.write(before + json.dumps(row, ensure_ascii=False))
        before = ",\n"
    file.write("\n]\n" if before == ",\n" else "[]\n")


def _write_csv(file: TextIO, section: Section, rows: Rows) -> None:
    """Write the same rows, safe to open in a spreadsheet. An object is written as JSON."""
    writer = CsvWriter(file, section.names, escape=True)
    for row in rows:
        writer.write({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
