"""Saved exports: queue those that are due each week, and write their files to the folder."""

from datetime import datetime, tzinfo
from pathlib import Path
from shutil import copyfileobj
from uuid import uuid4

from preference_center.core.console_jobs import jobs, saved
from preference_center.core.console_jobs.saved import DueExport
from preference_center.data.jobs.options import ExportOptions
from preference_center.data.output_files import whole_file
from preference_center.store import Database
from preference_center.util.clock import last_monday


def queue_due(database: Database, now: datetime, zone: tzinfo) -> None:
    """Add a job for each saved export that was not queued since the last Monday in a zone."""
    monday = last_monday(now, zone)
    with database.reading() as session:
        if not saved.is_due(session, monday):
            return
    with database.transaction() as session:
        for each in saved.take_due(session, monday, now):
            name, options = _file_name(each, now.astimezone(zone)), each.options
            jobs.add_export(
                session, uuid4(), each.staff_id, options, each.purpose, name, now, saved_id=each.id
            )


def copied(source: Path, folder: Path, file_name: str) -> Path:
    """Copy a file to a hidden one in a folder, which only its owner can read; return its path.

    Raises:
        OSError: the folder cannot be written to.
    """
    part = folder / f".{Path(file_name).name}.part"
    with source.open("rb") as file, whole_file(part) as copy:
        copyfileobj(file, copy)
    return part


def _file_name(due: DueExport, now: datetime) -> str:
    """Return a name with the day, which no other saved export has."""
    return ExportOptions.from_json(due.options).file_name(f"{now:%Y-%m-%d}-{due.id.hex[:8]}")
