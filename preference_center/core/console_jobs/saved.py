"""Exports that members save, to be written each week to a folder of a worker.

One ends when a member stops it, or when the member who saved it may no longer export.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from json import dumps, loads
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from preference_center.core.console_jobs import jobs
from preference_center.core.errors import UnknownJobError
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, JobState
from preference_center.store.tables import ConsoleJob, SavedExportRow, StaffRow


@dataclass(frozen=True)
class SavedExport:
    """A saved export. `staff` is the address of who saved it.

    `written_at` is when a file of it was last written, or None. `failure` says why the newest one
    could not be written, or is None.
    """

    id: UUID
    staff: str
    options: Mapping[str, Any]
    purpose: str
    created_at: datetime
    written_at: datetime | None
    failure: str | None


@dataclass(frozen=True)
class DueExport:
    """A saved export whose file is to be written now."""

    id: UUID
    staff_id: UUID
    options: Mapping[str, Any]
    purpose: str


def save(
    session: Session, staff_id: UUID, options: Mapping[str, Any], purpose: str, now: datetime
) -> None:
    """Save an export, whose first file is written on the next Monday.

    Raises:
        JobRefusal: the purpose is missing, too long, or contains an address.
    """
    purpose = jobs.checked_purpose(purpose, options)
    row = SavedExportRow(id=uuid4(), staff_id=staff_id, created_at=now, queued_at=now)
    row.options, row.purpose = dumps(options), purpose
    session.add(row)
    session.flush()
    details = {"saved": str(row.id), "purpose": purpose, **options}
    audit.record(session, staff_id, AuditAction.EXPORT_SAVED, now, details=details)


def stop(session: Session, saved_id: UUID, by: UUID, now: datetime) -> None:
    """End a saved export. Files that were written stay.

    Raises:
        UnknownJobError: there is no such export.
    """
    this = delete(SavedExportRow).where(SavedExportRow.id == saved_id)
    if session.scalar(this.returning(SavedExportRow.id)) is None:
        raise UnknownJobError("there is no such export")
    details = {"saved": str(saved_id)}
    audit.record(session, by, AuditAction.EXPORT_STOPPED, now, details=details)


def list_all(session: Session) -> list[SavedExport]:
    """Return the saved exports, the newest first."""
    statement = select(SavedExportRow, StaffRow.email).join(
        StaffRow, StaffRow.id == SavedExportRow.staff_id
    )
    order = (SavedExportRow.created_at.desc(), SavedExportRow.id)
    found = session.execute(statement.order_by(*order)).all()
    written, failures = _results(session)
    return [
        SavedExport(
            row.id,
            staff,
            loads(row.options),
            row.purpose,
            row.created_at,
            written.get(row.id),
            failures.get(row.id),
        )
        for row, staff in found
    ]


def is_due(session: Session, monday: datetime) -> bool:
    """Return True if `take_due` would return one. Unlike it, this takes no lock."""
    due = select(SavedExportRow.id).where(SavedExportRow.queued_at < monday).limit(1)
    return session.scalar(due) is not None


def take_due(session: Session, monday: datetime, now: datetime) -> list[DueExport]:
    """Return those that were not queued since a Monday, and note that they are queued now."""
    due = update(SavedExportRow).where(SavedExportRow.queued_at < monday).values(queued_at=now)
    options = {"synchronize_session": False}
    rows = session.scalars(due.returning(SavedExportRow), execution_options=options).all()
    return [DueExport(row.id, row.staff_id, loads(row.options), row.purpose) for row in rows]


def _results(
    session: Session,
) -> tuple[Mapping[UUID | None, datetime | None], Mapping[UUID | None, str | None]]:
    """Return when each was last written, and why its newest job has failed, if it has."""
    written, failures = dict[UUID | None, datetime | None](), dict[UUID | None, str | None]()
    job = ConsoleJob
    statement = select(job.saved_id, job.state, job.ended_at, job.failure).order_by(job.created_at)
    for saved_id, state, ended_at, failure in session.execute(
        statement.where(job.saved_id.is_not(None))
    ):
        failures[saved_id] = failure
        if state is JobState.DONE:
            written[saved_id] = ended_at
    return written, failures
