"""Exports and imports that members of staff start in the console, and their files in pieces.

No statement about a subscriber reads these tables. Files have addresses, and are deleted after a
few days. They are rows, so that each web and worker machine can reach them.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.core.staff_vocab import JobFile, JobKind, JobState
from preference_center.store.tables.base import Base, Word, one_of


class ConsoleJob(Base):
    """An export or an import. `options` is JSON; `purpose` is why the export is needed.

    `done` of `total` is its progress: rows of an export, whose total is 0 because it is not known,
    and bytes of an import. `size` is that of the file to take, in bytes. A worker that runs the job
    holds `lease` until `leased_until`; without a lease, that is when a worker should have it.
    `saved_id` is the saved export that it was started for, also once that is stopped.
    """

    __tablename__ = "console_jobs"
    __table_args__ = (
        one_of("kind", JobKind),
        one_of("state", JobState),
        Index(None, "state"),
        Index(None, "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[JobKind] = mapped_column(Word(JobKind))
    state: Mapped[JobState] = mapped_column(Word(JobState))
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    options: Mapped[str]
    purpose: Mapped[str]
    file_name: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    done: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int | None] = mapped_column(BigInteger)
    failure: Mapped[str | None]
    attempts: Mapped[int]
    lease: Mapped[UUID | None]
    leased_until: Mapped[datetime | None]
    saved_id: Mapped[UUID | None]


class SavedExportRow(Base):
    """An export that is written each week to a folder, until the row is deleted.

    `queued_at` is when it was last queued, or when it was saved.
    """

    __tablename__ = "saved_exports"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    options: Mapped[str]
    purpose: Mapped[str]
    created_at: Mapped[datetime]
    queued_at: Mapped[datetime]


class ConsoleChunk(Base):
    """A piece of a file of a job. It may be stored before its job, which needs the whole file."""

    __tablename__ = "console_chunks"
    __table_args__ = (one_of("file", JobFile), Index(None, "expires_at"))

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    file: Mapped[JobFile] = mapped_column(Word(JobFile), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes]
    expires_at: Mapped[datetime]


class ConsoleDownload(Base):
    """A member of staff has taken the file of a job."""

    __tablename__ = "console_downloads"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("console_jobs.id", ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), primary_key=True)
