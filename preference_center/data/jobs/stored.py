"""Store the files of jobs in the database, and read them, in short transactions."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid4

from preference_center.core.console_jobs import files, jobs, work
from preference_center.core.console_jobs.files import PIECE_BYTES
from preference_center.core.console_jobs.work import LeasedJob
from preference_center.core.staff_vocab import JobFile
from preference_center.store import Database

_AT_ONCE = 16  # pieces in a transaction: it must not hold up others


def add_import(
    database: Database,
    staff_id: UUID,
    options: Mapping[str, Any],
    file_name: str,
    file: BinaryIO,
    now: datetime,
) -> UUID:
    """Store a file and then add its import, of which a worker makes a preview; return its id.

    Raises:
        JobRefusal: there is no room for the file.
    """
    job_id = uuid4()
    for first, pieces in _batches(file):
        with database.transaction() as session:
            files.add(session, job_id, JobFile.UPLOAD, first, pieces, now)
    with database.transaction() as session:
        jobs.add_import(session, job_id, staff_id, options, file_name, now)
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
