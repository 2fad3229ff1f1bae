"""Store the files of jobs in the database, and read them, in short transactions."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid4

from preference_center.core.console_jobs import files, jobs, work
from preference_center.core.console_jobs.files import PIECE_BYTES
from preference_center.core.console_jobs.work import LeasedJob
from preference_center.core.errors import Refusal
from preference_center.core.staff import forms
from preference_center.core.staff_vocab import JobFile
from preference_center.store import Database

_AT_ONCE = 16  # pieces in a transaction: it must not hold up others


def add_import(
    database: Database,
    staff_id: UUID,
    options: Mapping[str, Any],
    file_name: str,
    file: BinaryIO,
    form: bytes,
    now: datetime,
) -> UUID:
    """Store a file and then add its import, of which a worker makes a preview; return its id.

    `form` is the digest of the form that was sent. If it was sent before, this returns the import
    that was added then.

    Raises:
        JobRefusal: there is no room for the file.
        StaffRefusal: the form was sent more than a minute ago.
    """
    new = uuid4()
    try:
        for first, pieces in _batches(file):
            with database.transaction() as session:
                files.add(session, new, JobFile.UPLOAD, first, pieces, now)
        with database.transaction() as session:
            job_id = forms.record(session, form, new, now)
            if job_id == new:
                jobs.add_import(session, new, staff_id, options, file_name, now)
            else:
                files.delete(session, new)
    except Refusal:
        with database.transaction() as session:
            files.delete(session, new)
        raise
    return job_id


def output(
    database: Database, leased: LeasedJob, path: Path, file: JobFile, clock: Callable[[], datetime]
) -> int:
    """Store a file of a leased job, and return its size in bytes.

    Raises:
        JobRefusal: there is no room for it.
        LostLeaseError: the job was cancelled, or another worker runs it.
    """
    with path.open("rb") as source:
        for first, pieces in _batches(source):
            with database.transaction() as session:
                work.store(session, leased, file, first, pieces, clock())
    return path.stat().st_size


def read(database: Database, job_id: UUID, file: JobFile, now: datetime) -> Iterator[bytes]:
    """Yield the pieces of a file that were stored at a time."""
    number = 0
    while True:
        with database.reading() as session:
            data = files.piece(session, job_id, file, number, now)
        if data is None:
            return
        yield data
        number += 1


def _batches(file: BinaryIO) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the pieces of one transaction after the other, with the number of the first."""
    first = 0
    while pieces := [data for _ in range(_AT_ONCE) if (data := file.read(PIECE_BYTES))]:
        yield first, pieces
        first += len(pieces)
