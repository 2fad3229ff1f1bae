"""Start exports and imports, list them, cancel them, and take or delete their files.

The audit trail records each of these by the id of the job, without the name of a file.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from json import dumps, loads
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from preference_center.core.console_jobs import files
from preference_center.core.errors import JobRefusal, UnknownJobError
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, JobFile, JobKind, JobState
from preference_center.store.tables import ConsoleDownload, ConsoleJob, StaffRow
from preference_center.util.text import without_controls

MAX_PURPOSE = 300  # characters
MAX_FILE_NAME = 255  # characters
LISTED_FOR = timedelta(days=366)
_LATE = timedelta(seconds=15)  # A worker that is idle looks for a job each second.
_ACTIVE = (JobState.WAITING, JobState.RUNNING)
IMPORTS = (JobKind.PREVIEW, JobKind.IMPORT)
EXPORTS = (JobKind.EXPORT,)


@dataclass(frozen=True)
class Download:
    """Who has taken a file, and when. `staff` is the member's address."""

    at: datetime
    staff: str


@dataclass(frozen=True)
class Job:
    """An export or an import, as a page shows it. `staff` is the address of who started it.

    `size` is that of the file to take, in bytes: None if there is none, or no longer. `report` is
    what the worker has found, or None.
    """

    id: UUID
    kind: JobKind
    state: JobState
    staff_id: UUID
    staff: str
    options: Mapping[str, Any]
    purpose: str
    file_name: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    done: int
    total: int
    size: int | None
    failure: str | None
    leased_until: datetime | None
    downloads: tuple[Download, ...] = ()
    report: Mapping[str, Any] | None = None

    @property
    def is_active(self) -> bool:
        """Return True if a worker runs it, or will."""
        return self.state in _ACTIVE

    @property
    def kept_until(self) -> datetime:
        """Return when its files are deleted."""
        return (self.ended_at or self.created_at) + files.KEPT_FOR

    def lacks_worker(self, now: datetime) -> bool:
        """Return True if no worker seems to run."""
        since = self.leased_until or self.created_at + _LATE
        return self.is_active and since <= now


def add_export(
    session: Session,
    job_id: UUID,
    staff_id: UUID,
    options: Mapping[str, Any],
    purpose: str,
    file_name: str,
    now: datetime,
) -> None:
    """Add an export, which a worker runs.

    Raises:
        JobRefusal: the purpose is missing, too long, or contains an address.
    """
    purpose = " ".join(without_controls(purpose).split())
    if not purpose:
        raise JobRefusal("say what the file is for: the audit trail records it")
    if len(purpose) > MAX_PURPOSE:
        raise JobRefusal(f"shorten the purpose to {MAX_PURPOSE} characters")
    if "@" in f"{purpose}{dumps(options)}":
        raise JobRefusal("leave out email addresses: the audit trail records what you enter")
    _add(session, job_id, JobKind.EXPORT, staff_id, options, purpose, file_name, now)
    details = {"job": str(job_id), "purpose": purpose, **options}
    audit.record(session, staff_id, AuditAction.EXPORT_STARTED, now, details=details)


def add_import(
    session: Session,
    job_id: UUID,
    staff_id: UUID,
    options: Mapping[str, Any],
    file_name: str,
    now: datetime,
) -> None:
    """Add an import whose file was stored. A worker makes its preview."""
    _add(session, job_id, JobKind.PREVIEW, staff_id, options, "", file_name, now)
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
    if row.state not in _ACTIVE and not is_open:
        raise JobRefusal("this has ended already")
    row.state, row.ended_at, row.lease, row.leased_until = JobState.CANCELLED, now, None, None
    row.size = None
    files.delete(session, job_id)
    details = {"job": str(job_id), "kind": row.kind.value}
    audit.record(session, staff_id, AuditAction.JOB_CANCELLED, now, details=details)


def delete_file(
    session: Session, job_id: UUID, kinds: Collection[JobKind], staff_id: UUID, now: datetime
) -> None:
    """Delete the file of a job that has ended, before its time.

    Raises:
        JobRefusal: there is no file.
    """
    row = _locked(session, job_id, kinds)
    _require_output(row, now)
    row.size = None
    files.delete(session, job_id, JobFile.OUTPUT)
    details = {"job": str(job_id), "kind": row.kind.value}
    audit.record(session, staff_id, AuditAction.FILE_DELETED, now, details=details)


def take(
    session: Session, job_id: UUID, kinds: Collection[JobKind], staff_id: UUID, now: datetime
) -> Job:
    """Record that a member takes the file of a job, and return the job. See `files.read`.

    Raises:
        JobRefusal: there is no file, or no longer.
    """
    row = _locked(session, job_id, kinds)
    _require_output(row, now)
    session.merge(ConsoleDownload(job_id=job_id, at=now, staff_id=staff_id))
    details = {"job": str(job_id), "kind": row.kind.value}
    audit.record(session, staff_id, AuditAction.FILE_DOWNLOADED, now, details=details)
    return _job(row, "", now, report=files.report(session, job_id, now))


def find(session: Session, job_id: UUID, kinds: Collection[JobKind], now: datetime) -> Job:
    """Return a job with its downloads and its report, or raise UnknownJobError."""
    statement = _jobs().where(ConsoleJob.id == job_id, ConsoleJob.kind.in_(kinds))
    found = session.execute(statement).one_or_none()
    if found is None:
        raise UnknownJobError("there is no such export or import")
    row, staff = found
    return _job(row, staff, now, _downloads(session, [job_id]), files.report(session, job_id, now))


def newest(
    session: Session,
    kinds: Collection[JobKind],
    limit: int,
    now: datetime,
    before: tuple[datetime, UUID] | None = None,
) -> list[Job]:
    """Return at most `limit` jobs with their downloads, newest first, from before another one."""
    statement = _jobs().where(ConsoleJob.kind.in_(kinds))
    if before is not None:
        at, job_id = before
        same = and_(ConsoleJob.created_at == at, ConsoleJob.id < job_id)
        statement = statement.where(or_(ConsoleJob.created_at < at, same))
    order = (ConsoleJob.created_at.desc(), ConsoleJob.id.desc())
    found = session.execute(statement.order_by(*order).limit(limit)).all()
    downloads = _downloads(session, [row.id for row, _ in found])
    return [_job(row, staff, now, downloads) for row, staff in found]


def is_expired(now: datetime) -> ColumnElement[bool]:
    """Return the condition of jobs that are no longer listed."""
    return ConsoleJob.created_at <= now - LISTED_FOR


def _add(
    session: Session,
    job_id: UUID,
    kind: JobKind,
    staff_id: UUID,
    options: Mapping[str, Any],
    purpose: str,
    file_name: str,
    now: datetime,
) -> None:
    row = ConsoleJob(id=job_id, kind=kind, staff_id=staff_id, created_at=now)
    row.options, row.purpose = dumps(options), purpose
    row.file_name = file_name[-MAX_FILE_NAME:]
    _restart(session, row, now)
    session.add(row)
    session.flush()


def _restart(session: Session, row: ConsoleJob, now: datetime) -> None:
    """Let a worker run the job from its beginning."""
    row.state, row.started_at, row.ended_at, row.failure = JobState.WAITING, None, None, None
    row.done = row.total = row.attempts = 0
    row.size, row.lease, row.leased_until = None, None, now + _LATE
    files.delete(session, row.id, JobFile.OUTPUT, JobFile.REPORT)


def _require_upload(session: Session, row: ConsoleJob, now: datetime) -> None:
    if row.state in _ACTIVE:
        raise JobRefusal("wait until the preview is made, or cancel it")
    if files.piece(session, row.id, JobFile.UPLOAD, 0, now) is None:
        raise JobRefusal("the file was deleted: upload it again")


def _require_output(row: ConsoleJob, now: datetime) -> None:
    if row.size is None or (row.ended_at is not None and row.ended_at + files.KEPT_FOR <= now):
        raise JobRefusal("there is no file, or it was deleted")


def _locked(session: Session, job_id: UUID, kinds: Collection[JobKind]) -> ConsoleJob:
    this = select(ConsoleJob).where(ConsoleJob.id == job_id, ConsoleJob.kind.in_(kinds))
    row = session.scalar(this.with_for_update())
    if row is None:
        raise UnknownJobError("there is no such export or import")
    return row


def _jobs() -> Select[*tuple[Any, ...]]:
    return select(ConsoleJob, StaffRow.email).join(StaffRow, StaffRow.id == ConsoleJob.staff_id)


def _downloads(session: Session, ids: Iterable[UUID]) -> dict[UUID, list[Download]]:
    statement = (
        select(ConsoleDownload.job_id, ConsoleDownload.at, StaffRow.email)
        .join(StaffRow, StaffRow.id == ConsoleDownload.staff_id)
        .where(ConsoleDownload.job_id.in_(list(ids)))
        .order_by(ConsoleDownload.at)
    )
    found: dict[UUID, list[Download]] = {}
    for job_id, at, staff in session.execute(statement):
        found.setdefault(job_id, []).append(Download(at, staff))
    return found


def _job(
    row: ConsoleJob,
    staff: str,
    now: datetime,
    downloads: Mapping[UUID, Iterable[Download]] | None = None,
    report: Mapping[str, Any] | None = None,
) -> Job:
    is_kept = row.ended_at is None or now < row.ended_at + files.KEPT_FOR
    return Job(
        row.id,
        row.kind,
        row.state,
        row.staff_id,
        staff,
        loads(row.options),
        row.purpose,
        row.file_name,
        row.created_at,
        row.started_at,
        row.ended_at,
        row.done,
        row.total,
        row.size if is_kept else None,
        row.failure,
        row.leased_until,
        tuple((downloads or {}).get(row.id, ())),
        report,
    )
