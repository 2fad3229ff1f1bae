"""A file that keeps acknowledged unsubscribes while the database cannot be used.

One SQLite file belongs to one process (`spool_folder` creates, locks and removes it). A row holds
what a link said and what was in force when it was acknowledged: no address and no link.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from preference_center.inbound.spool_file import (
    SpoolError,
    SpoolFullError,
    checked_count,
    connect,
    reporting_errors,
)
from preference_center.inbound.spool_rows import (
    DELETE,
    INSERT,
    OLDEST,
    SELECT,
    Row,
    SpooledUnsubscribe,
    entry_of,
    row_of,
)
from preference_center.store import UnavailableError
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

MAX_ROWS = 1_000_000
BATCH_SIZE = 500  # rows


@dataclass(frozen=True)
class SpoolState:
    """How many rows wait, since when, and whether the spool takes more of them."""

    rows: int
    oldest_at: datetime | None
    accepts: bool


Apply = Callable[[Sequence[SpooledUnsubscribe]], None]


class _Write:
    """The rows of one thread. `error` is None once they are stored."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.tried = False
        self.error: SpoolError | None = SpoolError("the spool was not written")


class Spool:
    """An existing file, which the caller has locked. Any number of threads may use it.

    Raises SpoolError if the file cannot be opened, DamagedSpoolError if it is damaged.
    """

    def __init__(self, path: Path, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self._lock = threading.Lock()  # held while the connection is used
        self._turn = threading.Condition()  # guards the next three
        self._queue: list[_Write] = []
        self._writing = False
        self._accepts = True  # False after a failed write
        with reporting_errors():
            self._connection = connect(path)
            try:
                self._rows: int = checked_count(self._connection)
            except BaseException:
                self._connection.close()
                raise

    def write(self, entries: Sequence[SpooledUnsubscribe]) -> None:
        """Store unsubscribes durably, all or none. Threads that wait share a commit.

        Raises SpoolFullError if there is no room, and SpoolError if the file cannot be written.
        """
        write = _Write([row_of(entry) for entry in entries])
        with self._turn:
            self._queue.append(write)
            self._turn.wait_for(lambda: write.tried or not self._writing)
            if not write.tried:  # Otherwise another thread has written these rows with its own.
                shared, self._queue, self._writing = self._queue, [], True
        if not write.tried:
            self._write(shared)
        if write.error is not None:
            raise write.error

    def replay(self, apply: Apply) -> int:
        """Apply the rows in their order, and return how many were applied.

        Each batch is deleted when `apply` returns: it must have committed by then. If it fails for
        a row, this row stays in the file, and the others of its batch are applied without it.

        Raises:
            UnavailableError: `apply` has raised it. The remaining rows stay in the file.
            SpoolError: some rows could not be applied; or the file could not be used.
        """
        count = position = failed = 0
        while batch := self._next(position):
            applied = self._apply(batch, apply)
            count, failed = count + applied, failed + len(batch) - applied
            position = batch[-1][0]
        if failed:
            raise SpoolError(f"unsubscribes that could not be applied, and stay: {failed}")
        return count

    def state(self) -> SpoolState:
        """Return the state. Raise SpoolError if the file cannot be read."""
        with self._lock, reporting_errors():
            oldest = self._connection.execute(OLDEST).fetchone()
            accepts = self._accepts and self._rows < self._max_rows
            at = datetime.fromisoformat(oldest[0]) if oldest is not None else None
            return SpoolState(self._rows, at, accepts)

    def check_disk(self) -> None:
        """After a failed write, raise SpoolError until the disk can be written to again."""
        if self._accepts:
            return
        with self._lock, reporting_errors():
            self._connection.execute("PRAGMA user_version = 1")  # This writes a page and commits.
        self._accepts = True

    def close_if_empty(self) -> bool:
        """Close the file if nothing is in it; return whether it was empty.

        Nothing can be written after that, so that the file can be deleted.
        """
        with self._lock, reporting_errors():
            if self._connection.execute(OLDEST).fetchone() is not None:
                return False
            self._connection.close()
            return True

    def close(self) -> None:
        """Close the file. Its rows stay."""
        with self._lock:
            self._connection.close()

    def _write(self, shared: Sequence[_Write]) -> None:
        """Write the rows of several threads in one transaction, and wake these threads."""
        error: SpoolError | None = SpoolError("the spool was interrupted")
        try:
            with self._lock:
                self._insert([row for each in shared for row in each.rows])
            error = None
        except SpoolError as raised:
            error = raised
        finally:
            with self._turn:
                for each in shared:
                    each.tried, each.error = True, error
                self._writing, self._accepts = False, error is None
                self._turn.notify_all()

    def _insert(self, rows: Sequence[Row]) -> None:
        if self._rows + len(rows) > self._max_rows:
            raise SpoolFullError(f"the spool is full ({self._rows:,} rows)")
        self._transact(INSERT, rows)
        self._rows += len(rows)

    def _apply(self, rows: Sequence[Row], apply: Apply) -> int:
        """Apply rows, one by one if they fail together, and return how many were applied."""
        try:
            apply([entry_of(row) for row in rows])
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 (one failing row must not block the others)
            if len(rows) > 1:
                return sum(self._apply([row], apply) for row in rows)
            log_unexpected(log, "a spooled unsubscribe could not be applied", error)
            return 0
        self._delete(rows)
        return len(rows)

    def _next(self, position: int) -> list[Row]:
        with self._lock, reporting_errors():
            return self._connection.execute(SELECT, (position, BATCH_SIZE)).fetchall()

    def _delete(self, rows: Sequence[Row]) -> None:
        with self._lock:
            self._transact(DELETE, [(rows[0][0], rows[-1][0])])
            self._rows -= len(rows)

    def _transact(self, statement: str, rows: Sequence[Row]) -> None:
        """Run a statement for each of `rows` and commit, or change nothing."""
        with reporting_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(statement, rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
