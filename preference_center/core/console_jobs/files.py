"""The files of jobs, in pieces that each web and worker machine can reach.

A piece is a row, so that a file of any length is written and read in constant memory, in short
transactions. No more of them are stored than MAX_PIECES.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from json import loads
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy import delete as delete_rows
from sqlalchemy.orm import Session

from preference_center.core.errors import JobRefusal
from preference_center.core.staff_vocab import JobFile
from preference_center.store.tables import ConsoleChunk

KEPT_FOR = timedelta(days=7)
PIECE_BYTES = 262_144
MAX_PIECES = 16_384  # 4 GB, of all files


def add(
    session: Session,
    job_id: UUID,
    file: JobFile,
    first: int,
    pieces: Iterable[bytes],
    now: datetime,
) -> None:
    """Add pieces to a file, numbered from `first`.

    Raises:
        JobRefusal: there is no room for them.
    """
    stored = session.scalars(select(func.count()).select_from(ConsoleChunk)).one()
    new = [
        ConsoleChunk(job_id=job_id, file=file, number=number, data=data, expires_at=now + KEPT_FOR)
        for number, data in enumerate(pieces, first)
    ]
    if stored + len(new) > MAX_PIECES:
        size = MAX_PIECES * PIECE_BYTES // 2**30
        raise JobRefusal(
            f"the files of exports and imports would have more than {size} GB: delete some, or use "
            "the commands export and import"
        )
    session.add_all(new)
    session.flush()


def piece(
    session: Session, job_id: UUID, file: JobFile, number: int, now: datetime
) -> bytes | None:
    """Return a piece of a file, or None after the last one, and after the file has expired."""
    this = (ConsoleChunk.job_id == job_id, ConsoleChunk.file == file, ConsoleChunk.number == number)
    return session.scalar(select(ConsoleChunk.data).where(*this, ConsoleChunk.expires_at > now))


def report(session: Session, job_id: UUID, now: datetime) -> Mapping[str, Any] | None:
    """Return the report of a job, or None if there is none."""
    this = (ConsoleChunk.job_id == job_id, ConsoleChunk.file == JobFile.REPORT)
    pieces = select(ConsoleChunk.data).where(*this, ConsoleChunk.expires_at > now)
    found = b"".join(session.scalars(pieces.order_by(ConsoleChunk.number)))
    return loads(found) if found else None


def delete(session: Session, job_id: UUID, *files: JobFile) -> None:
    """Delete some files of a job, by default all."""
    wanted = ConsoleChunk.file.in_(files or tuple(JobFile))
    session.execute(delete_rows(ConsoleChunk).where(ConsoleChunk.job_id == job_id, wanted))


def is_expired(now: datetime) -> ColumnElement[bool]:
    """Return the condition of pieces that are no longer kept."""
    return ConsoleChunk.expires_at <= now
