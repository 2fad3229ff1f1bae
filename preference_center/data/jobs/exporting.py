"""Run an export of the console: write its file, and say what was left out of it."""

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.console_jobs import jobs
from preference_center.core.console_jobs.listing import Job
from preference_center.core.console_jobs.work import LeasedJob
from preference_center.data import exports, suppression_files
from preference_center.data.jobs import list_file
from preference_center.data.jobs.options import LIST, ExportOptions, ListOptions
from preference_center.data.suppression_files import SYSTEMS
from preference_center.store import Database


def run(
    database: Database,
    leased: LeasedJob,
    target: Path,
    advance: Callable[[int], None],
    zone: tzinfo,
) -> dict[str, Any]:
    """Write the file of an export, and return its report. `advance` gets the rows of each batch.

    Days of lists are those of `zone`.

    Raises:
        Refusal: the export cannot be made.
    """
    if leased.options["what"] == LIST:
        listed = ListOptions.from_json(leased.options)
        with database.reading() as session, target.open("wb") as file:
            list_file.write(session, listed, file, zone, advance)
        return {}
    options = ExportOptions.from_json(leased.options)
    options.check()
    with database.reading() as session:
        if options.topic:
            topics.get(session, options.topic)
        if options.system is not None:
            return _write_folder(session, options, leased, target, advance)
        with target.open("wb") as file:
            export = exports.Export(options.kind, options.selected(), options.output)
            export.write(session, file, advance)
    return {}


def take(session: Session, job_id: UUID, staff_id: UUID, now: datetime) -> Job:
    """Record that a member takes the file of an export, which is a fetch of unsubscribes.

    Raises:
        JobRefusal: there is no file, or no longer.
    """
    job = jobs.take(session, job_id, jobs.EXPORTS, staff_id, now)
    if job.started_at is not None:
        record_fetch(session, job.options, job.report or {}, job.started_at)
    return job


def record_fetch(
    session: Session, values: Mapping[str, Any], report: Mapping[str, Any], began_at: datetime
) -> None:
    """Record which unsubscribes the file of an export has given to a sender."""
    if values["what"] == LIST or report.get("left_out"):
        return
    options = ExportOptions.from_json(values)
    if options.kind.fetch is not None:
        exports.record_fetch(session, options.kind.fetch, options.selected(), began_at)


def _write_folder(
    session: Session,
    options: ExportOptions,
    leased: LeasedJob,
    target: Path,
    advance: Callable[[int], None],
) -> dict[str, Any]:
    folder = target.with_name("files")
    folder.mkdir()
    system = SYSTEMS[options.output]
    written = suppression_files.write(
        session, system, options.selected(), folder, leased.began_at, advance=advance
    )
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return {
        "files": dict(written.files),
        "people": written.counts.written,
        "left_out": written.counts.left_out,
        "erased": written.counts.erased,
    }
