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

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from preference_center.core.console_jobs import files
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, JobFile, JobKind, JobState
from preference_center.store.tables import ConsoleJob

LEASE_DURATION = timedelta(seconds=60)
MAX_ATTEMPTS = 3
_ENDED = f"the worker has ended {MAX_ATTEMPTS} times while it ran this; its log may say why"


class LostLeaseError(Exception):
    """The job was cancelled, or another worker runs it."""


@dataclass(frozen=True)
class LeasedJob:
    """A job that one worker may run while it holds the lease."""

    id: UUID
    lease: UUID
    kind: JobKind
    staff_id: UUID
    options: Mapping[str, Any]
    file_name: str
    began_at: datetime


def lease(session: Session, now: datetime) -> LeasedJob | None:
    """Lease the job that has waited longest, or one whose worker has ended, or return None."""
    while (row := _lock_due(session, now)) is not None:
        if row.attempts == MAX_ATTEMPTS:
            row.state, row.ended_at, row.failure = JobState.FAILED, now, _ENDED
            row.lease, row.leased_until = None, None
            session.flush()
            continue
        row.state, row.lease, row.leased_until = JobState.RUNNING, uuid4(), now + LEASE_DURATION
        row.attempts, row.started_at, row.done, row.total = row.attempts + 1, now, 0, 0
        files.delete(session, row.id, JobFile.OUTPUT, JobFile.REPORT)
        return LeasedJob(
            row.id, row.lease, row.kind, row.staff_id, loads(row.options), row.file_name, now
        )
    return None


def is_due(session: Session, now: datetime) -> bool:
    """Return True if `lease` would find a job. Unlike it, this takes no lock."""
    return session.scalar(select(ConsoleJob.id).where(_due(now)).limit(1)) is not None


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
    """
    _settle(session, leased, now, {"state": JobState.DONE, "size": size})
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


def _lock_due(session: Session, now: datetime) -> ConsoleJob | None:
    oldest = select(ConsoleJob).where(_due(now)).order_by(ConsoleJob.created_at, ConsoleJob.id)
    return session.scalar(oldest.limit(1).with_for_update(skip_locked=True))


def _due(now: datetime) -> Any:
    is_abandoned = and_(ConsoleJob.state == JobState.RUNNING, ConsoleJob.leased_until <= now)
    return or_(ConsoleJob.state == JobState.WAITING, is_abandoned)
