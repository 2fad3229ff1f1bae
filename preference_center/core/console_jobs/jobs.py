"""Start exports and imports, cancel them, and take or delete their files.

The audit trail records each of these by the id of the job, without the name of a file.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from json import dumps, loads
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core.console_jobs import files
from preference_center.core.console_jobs.listing import LATE, Job, job_of
from preference_center.core.errors import JobRefusal, UnknownJobError
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import ACTIVE, AuditAction, JobFile, JobKind, JobState
from preference_center.store.tables import ConsoleDownload, ConsoleJob
from preference_center.util.text import without_controls

MAX_PURPOSE = 300  # characters
_NO_ADDRESS = "leave out email addresses: the audit trail records what you enter"
MAX_FILE_NAME = 255  # characters
IMPORTS = (JobKind.PREVIEW, JobKind.IMPORT)
EXPORTS = (JobKind.EXPORT,)


def add_export(
    session: Session,
    job_id: UUID,
    staff_id: UUID,
    options: Mapping[str, Any],
    purpose: str,
    file_name: str,
    now: datetime,
    *,
    saved_id: UUID | None = None,
) -> None:
    """Add an export, which a worker runs. `saved_id` is the saved export that it is for.

    Raises:
        JobRefusal: the purpose is missing, too long, or contains an address.
    """
    purpose = checked_purpose(purpose, options)
    row = _new(job_id, JobKind.EXPORT, staff_id, options, purpose, file_name, now)
    row.saved_id = saved_id
    _add(session, row, now)
    details = {"job": str(job_id), "purpose": purpose, **options}
    audit.record(session, staff_id, AuditAction.EXPORT_STARTED, now, details=details)


def checked_purpose(purpose: str, options: Mapping[str, Any]) -> str:
    """Return a purpose as it is stored, or raise what `add_export` does."""
    purpose = " ".join(without_controls(purpose).split())
    if not purpose:
        raise JobRefusal("say what the file is for: the audit trail records it", "purpose")
    if len(purpose) > MAX_PURPOSE:
        raise JobRefusal(f"shorten the purpose to {MAX_PURPOSE} characters", "purpose")
    if "@" in f"{purpose}{dumps(options)}":
        raise JobRefusal(_NO_ADDRESS, "purpose")
    return purpose


def add_import(
    session: Session,
    job_id: UUID,
    staff_id: UUID,
    options: Mapping[str, Any],
    file_name: str,
    now: datetime,
) -> None:
    """Add an import whose file was stored. A worker makes its preview."""
    _add(session, _new(job_id, JobKind.PREVIEW, staff_id, options, "", file_name, now), now)
    details = {"job": str(job_id)}
    audit.record(session, staff_id, AuditAction.IMPORT_UPLOADED, now, details=details)


def preview_again(
    session: Session, job_id: UUID, options: Mapping[str, Any], now: datetime
) -> None:
    """Make another preview, with other options.

    Raises:
        JobRefusal: the import has begun, or its file was deleted.
    """
    row = _locked(session, job_id, IMPORTS)
    if row.kind is not JobKind.PREVIEW or row.state is JobState.CANCELLED:
        raise JobRefusal("this import has begun, or was cancelled")
    _require_upload(session, row, now)
    row.options = dumps(options)
    _restart(session, row, now)


def start_import(
    session: Session, job_id: UUID, staff_id: UUID, seen: datetime | None, now: datetime
) -> None:
    """Import what the preview has shown that ended at `seen`, the last one.

    Raises:
        JobRefusal: there is no preview, another one was made since, or the file was deleted.
    """
    row = _locked(session, job_id, IMPORTS)
    if (row.kind, row.state) != (JobKind.PREVIEW, JobState.DONE):
        raise JobRefusal("this import has begun, or there is no preview of it")
    if row.ended_at != seen:
        raise JobRefusal("another preview was made since you opened the page; look at it again")
    _require_upload(session, row, now)
    row.kind = JobKind.IMPORT
    _restart(session, row, now)
    options = loads(row.options)
    named = {name: options[name] for name in ("source", "topic", "status") if options.get(name)}
    details = {"job": str(job_id), **named}
    audit.record(session, staff_id, AuditAction.IMPORT_STARTED, now, details=details)


def cancel(
    session: Session, job_id: UUID, kinds: Collection[JobKind], staff_id: UUID, now: datetime
) -> None:
    """Cancel a job that has not ended, or an import that was not started, and delete its files.

    What an import has changed until then stays.

    Raises:
        JobRefusal: the job has ended.
    """
    row = _locked(session, job_id, kinds)
    is_open = row.kind is JobKind.PREVIEW and row.state is not JobState.CANCELLED
    if row.state not in ACTIVE and not is_open:
        raise JobRefusal("this has ended already")
    row.state, row.ended_at, row.lease, row.leased_until = JobState.CANCELLED, now, None, None
    row.size = None
    files.delete(session, job_id)
    _record(session, row, staff_id, AuditAction.JOB_CANCELLED, now)


def delete_file(
    session: Session, job_id: UUID, kinds: Collection[JobKind], staff_id: UUID, now: datetime
) -> None:
    """Delete the file of a job that has ended, before its time.

    Raises:
        JobRefusal: there is no file.
    """
    row = _with_output(session, job_id, kinds, staff_id, AuditAction.FILE_DELETED, now)
    row.size = None
    files.delete(session, job_id, JobFile.OUTPUT)


def take(
    session: Session, job_id: UUID, kinds: Collection[JobKind], staff_id: UUID, now: datetime
) -> Job:
    """Record that a member takes the file of a job, and return the job. See `files.read`.

    Raises:
        JobRefusal: there is no file, or no longer.
    """
    row = _with_output(session, job_id, kinds, staff_id, AuditAction.FILE_DOWNLOADED, now)
    session.merge(ConsoleDownload(job_id=job_id, at=now, staff_id=staff_id))
    return job_of(row, "", now, report=files.report(session, job_id, now))


def _new(
    job_id: UUID,
    kind: JobKind,
    staff_id: UUID,
    options: Mapping[str, Any],
    purpose: str,
    file_name: str,
    now: datetime,
) -> ConsoleJob:
    row = ConsoleJob(id=job_id, kind=kind, staff_id=staff_id, created_at=now)
    row.options, row.purpose = dumps(options), purpose
    row.file_name = file_name[-MAX_FILE_NAME:]
    return row


def _add(session: Session, row: ConsoleJob, now: datetime) -> None:
    _restart(session, row, now)
    session.add(row)
    session.flush()


def _restart(session: Session, row: ConsoleJob, now: datetime) -> None:
    """Let a worker run the job from its beginning."""
    row.state, row.started_at, row.ended_at, row.failure = JobState.WAITING, None, None, None
    row.done = row.total = row.attempts = 0
    row.size, row.lease, row.leased_until = None, None, now + LATE
    files.delete(session, row.id, JobFile.OUTPUT, JobFile.REPORT)


def _require_upload(session: Session, row: ConsoleJob, now: datetime) -> None:
    if row.state in ACTIVE:
        raise JobRefusal("wait until the preview is made, or cancel it")
    if files.piece(session, row.id, JobFile.UPLOAD, 0, now) is None:
        raise JobRefusal("the file was deleted: upload it again")


def _with_output(
    session: Session,
    job_id: UUID,
    kinds: Collection[JobKind],
    staff_id: UUID,
    action: AuditAction,
    now: datetime,
) -> ConsoleJob:
    """Return a job that has a file, locked, and record what is done with the file."""
    row = _locked(session, job_id, kinds)
    if row.size is None or (row.ended_at is not None and row.ended_at + files.KEPT_FOR <= now):
        raise JobRefusal("there is no file, or it was deleted")
    _record(session, row, staff_id, action, now)
    return row


def _record(
    session: Session, row: ConsoleJob, staff_id: UUID, action: AuditAction, now: datetime
) -> None:
    details = {"job": str(row.id), "kind": row.kind.value}
    audit.record(session, staff_id, action, now, details=details)


def _locked(session: Session, job_id: UUID, kinds: Collection[JobKind]) -> ConsoleJob:
    this = select(ConsoleJob).where(ConsoleJob.id == job_id, ConsoleJob.kind.in_(kinds))
    row = session.scalar(this.with_for_update())
    if row is None:
        raise UnknownJobError("there is no such export or import")
    return row
