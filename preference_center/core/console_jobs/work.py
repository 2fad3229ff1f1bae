"""Jobs at work: leased by a worker that reports its progress, then settled or given back.

A job whose worker has ended is leased again, and runs from its beginning. That is safe: an import
changes nothing twice. After MAX_ATTEMPTS it has failed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from json import loads
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from preference_center.core.console_jobs import files
from preference_center.core.errors import JobRefusal
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, JobFile, JobKind, JobState
from preference_center.store.tables import ConsoleJob, SavedExportRow

LEASE_DURATION = timedelta(seconds=60)
MAX_ATTEMPTS = 3
_ENDED = f"the worker has ended {MAX_ATTEMPTS} times while it ran this; its log may say why"


class LostLeaseError(Exception):
    """The job was cancelled, or another worker runs it."""


@dataclass(frozen=True)
class LeasedJob:
    """A job that one worker may run while it holds the lease.

    `saved_id` is the saved export whose file it writes to the folder, or None.
    """

    id: UUID
    lease: UUID
    kind: JobKind
    staff_id: UUID
    options: Mapping[str, Any]
    file_name: str
    began_at: datetime
    saved_id: UUID | None


def lease(session: Session, now: datetime, *, with_folder: bool) -> LeasedJob | None:
    """Lease the job that has waited longest, or one whose worker has ended, or return None.

    Saved exports are left to a worker `with_folder`.
    """
    while (row := _lock_due(session, _due(now, with_folder=with_folder))) is not None:
        if row.attempts == MAX_ATTEMPTS:
            row.state, row.ended_at, row.failure = JobState.FAILED, now, _ENDED
            row.lease, row.leased_until = None, None
            session.flush()
            continue
        row.state, row.lease, row.leased_until = JobState.RUNNING, uuid4(), now + LEASE_DURATION
        row.attempts, row.started_at, row.done, row.total = row.attempts + 1, now, 0, 0
        files.delete(session, row.id, JobFile.OUTPUT, JobFile.REPORT)
        return LeasedJob(
            row.id,
            row.lease,
            row.kind,
            row.staff_id,
            loads(row.options),
            row.file_name,
            now,
            row.saved_id,
        )
    return None


def is_due(session: Session, now: datetime, *, with_folder: bool) -> bool:
    """Return True if `lease` would find a job. Unlike it, this takes no lock."""
    due = select(ConsoleJob.id).where(_due(now, with_folder=with_folder)).limit(1)
    return session.scalar(due) is not None


def hold(session: Session, leased: LeasedJob, now: datetime, done: int, total: int) -> bool:
    """Report progress and keep the lease; return False if it is lost."""
    values = {"done": done, "total": total, "leased_until": now + LEASE_DURATION}
    return _update(session, leased, values)


def store(
    session: Session,
    leased: LeasedJob,
    file: JobFile,
    first: int,
    pieces: Iterable[bytes],
    now: datetime,
) -> None:
    """Add pieces to a file of a leased job, or raise LostLeaseError."""
    if not _update(session, leased, {"leased_until": now + LEASE_DURATION}):
        raise LostLeaseError
    files.add(session, leased.id, file, first, pieces, now)


def finish(
    session: Session,
    leased: LeasedJob,
    now: datetime,
    size: int | None,
    counts: Mapping[str, int],
) -> None:
    """Settle a job that is done, and record in the audit trail what an import has changed.

    `size` is that of the file to take, in bytes. Raise LostLeaseError without the lease.

    Raises:
        JobRefusal: it is for a saved export that was stopped meanwhile.
    """
    _settle(session, leased, now, {"state": JobState.DONE, "size": size})
    if leased.saved_id is not None:
        _record_written(session, leased, now)
    if leased.kind is JobKind.IMPORT:
        details = {"job": str(leased.id), **counts}
        audit.record(session, leased.staff_id, AuditAction.IMPORT_ENDED, now, details=details)


def fail(session: Session, leased: LeasedJob, now: datetime, why: str) -> None:
    """Settle a job that has failed, with a sentence. Raise LostLeaseError without the lease."""
    _settle(session, leased, now, {"state": JobState.FAILED, "failure": why})
    files.delete(session, leased.id, JobFile.OUTPUT, JobFile.REPORT)


def give_back(session: Session, leased: LeasedJob) -> None:
    """Let another worker run a job from its beginning, because this one stops."""
    values = {"state": JobState.WAITING, "lease": None, "leased_until": None}
    _update(session, leased, {**values, "attempts": ConsoleJob.attempts - 1})


def _record_written(session: Session, leased: LeasedJob, now: datetime) -> None:
    if session.get(SavedExportRow, leased.saved_id, with_for_update=True) is None:
        raise JobRefusal("the weekly export was stopped before this file was written")
    details = {"job": str(leased.id), "saved": str(leased.saved_id)}
    audit.record(session, leased.staff_id, AuditAction.EXPORT_WRITTEN, now, details=details)


def _settle(session: Session, leased: LeasedJob, now: datetime, values: dict[str, Any]) -> None:
    ended = {"ended_at": now, "lease": None, "leased_until": None}
    if not _update(session, leased, {**values, **ended}):
        raise LostLeaseError
    if leased.kind is not JobKind.PREVIEW:  # After a preview, the file is imported.
        files.delete(session, leased.id, JobFile.UPLOAD)


def _update(session: Session, leased: LeasedJob, values: Mapping[str, Any]) -> bool:
    own = update(ConsoleJob).where(ConsoleJob.id == leased.id, ConsoleJob.lease == leased.lease)
    updated = own.values(**values).returning(ConsoleJob.id)
    options = {"synchronize_session": False}
    return session.scalar(updated, execution_options=options) is not None


def _lock_due(session: Session, due: ColumnElement[bool]) -> ConsoleJob | None:
    oldest = select(ConsoleJob).where(due).order_by(ConsoleJob.created_at, ConsoleJob.id)
    return session.scalar(oldest.limit(1).with_for_update(skip_locked=True))


def _due(now: datetime, *, with_folder: bool) -> ColumnElement[bool]:
    is_abandoned = and_(ConsoleJob.state == JobState.RUNNING, ConsoleJob.leased_until <= now)
    due = or_(ConsoleJob.state == JobState.WAITING, is_abandoned)
    return due if with_folder else and_(due, ConsoleJob.saved_id.is_(None))
