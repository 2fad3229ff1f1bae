"""Create, open and check the SQLite file of a spool."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from preference_center.inbound.spool_rows import TABLE
from preference_center.store import UnavailableError

# The low byte of SQLite's error codes for a file that is not a spool, or not a whole one: ERROR
# (a table is missing), CORRUPT and NOTADB.
_DAMAGE = {1, 11, 26}
_HEADER = b"SQLite format 3\0"


class SpoolError(UnavailableError):
    """The spool could not be used, for example because the disk is full. Nothing was stored."""


class SpoolFullError(SpoolError):
    """The spool has its maximum number of rows."""


class DamagedSpoolError(SpoolError):
    """The file is not a spool, or a part of it is missing."""


def create_file(path: Path) -> None:
    """Create an empty spool. Raise SpoolError if that is not possible."""
    with reporting_errors(), closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # A commit then takes one fsync.
        connection.execute(TABLE)


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing file; each commit is synced to the disk before it returns."""
    _require_header(path)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def checked_count(connection: sqlite3.Connection) -> int:
    """Return the number of rows. Raise DamagedSpoolError if the file is not whole."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise DamagedSpoolError(f"the spool is damaged ({verdict})")
    count: int = connection.execute("SELECT count(*) FROM unsubscribes").fetchone()[0]
    return count


@contextmanager
def reporting_errors() -> Iterator[None]:
    """Raise SpoolError for errors of SQLite, which name no values."""
    try:
        yield
    except sqlite3.Error as error:
        damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
        kind = DamagedSpoolError if damaged else SpoolError
        raise kind(f"the spool cannot be used ({error})") from error


def _require_header(path: Path) -> None:
    """Raise DamagedSpoolError if a file cannot be SQLite's, which would delete the `-wal` of it."""
    try:
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
    except OSError as error:
        raise SpoolError(f"the spool cannot be used ({error.strerror})") from error
    if header != _HEADER:
        raise DamagedSpoolError("the spool cannot be used (file is not a database)")
