"""Exports and imports as pages show them: one with its report, or a list, newest first."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from json import loads
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from preference_center.core.console_jobs import files
from preference_center.core.errors import UnknownJobError
from preference_center.core.staff_vocab import ACTIVE, JobKind, JobState
from preference_center.store.tables import ConsoleDownload, ConsoleJob, StaffRow

LISTED_FOR = timedelta(days=366)
LATE = timedelta(seconds=15)  # A worker that is idle looks for a job each second.


@dataclass(frozen=True)
class Download:
    """Who has taken a file, and when. `staff` is the member's address."""

    at: datetime
    staff: str


@dataclass(frozen=True)
class Job:
    """An export or an import, as a page shows it. `staff` is the address of who started it.

    `size` is that of the file to take, in bytes: None if there is none, or no longer. `report` is
    what the worker has found, or None. If it is for a saved export, `saved_id`, its file is in the
    folder of a worker.
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
    saved_id: UUID | None
    downloads: tuple[Download, ...] = ()
    report: Mapping[str, Any] | None = None

    @property
    def is_active(self) -> bool:
        """Return True if a worker runs it, or will."""
        return self.state in ACTIVE

    @property
    def kept_until(self) -> datetime:
        """Return when its files are deleted."""
        return (self.ended_at or self.created_at) + files.KEPT_FOR

    def lacks_worker(self, now: datetime) -> bool:
        """Return True if no worker seems to run."""
        since = self.leased_until or self.created_at + LATE
        return self.is_active and since <= now


def find(session: Session, job_id: UUID, kinds: Collection[JobKind], now: datetime) -> Job:
    """Return a job with its downloads and its report, or raise UnknownJobError."""
    statement = _jobs().where(ConsoleJob.id == job_id, ConsoleJob.kind.in_(kinds))
    found = session.execute(statement).one_or_none()
    if found is None:
        raise UnknownJobError("there is no such export or import")
    row, staff = found
    return job_of(
        row, staff, now, _downloads(session, [job_id]), files.report(session, job_id, now)
    )


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
    return [job_of(row, staff, now, downloads) for row, staff in found]


def is_expired(now: datetime) -> ColumnElement[bool]:
    """Return the condition of jobs that are no longer listed."""
    return ConsoleJob.created_at <= now - LISTED_FOR


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


def job_of(
    row: ConsoleJob,
    staff: str,
    now: datetime,
    downloads: Mapping[UUID, Iterable[Download]] | None = None,
    report: Mapping[str, Any] | None = None,
) -> Job:
    """Return a row as a job."""
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
        row.saved_id,
        tuple((downloads or {}).get(row.id, ())),
        report,
    )
