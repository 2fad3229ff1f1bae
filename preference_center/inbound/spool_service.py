"""The spool of a serving process, which registers with the database and replays the spool.

    service = SpoolService(database, folder, clock)
    service.start()              # in the process that serves, not in one that forks it
    service.write([entry])       # durable when it returns

Every half second, a thread reports how many unsubscribes wait, adopts the spools of processes that
have ended, and applies the unsubscribes. Until its first report is committed, nothing may be
spooled: no audience check would wait for it.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from multiprocessing import util
from pathlib import Path
from uuid import uuid4

from preference_center.core import processes
from preference_center.core.processes import Process, Waiting
from preference_center.inbound import spool_folder
from preference_center.inbound.spool import MAX_ROWS, SpoolState
from preference_center.inbound.spool_file import SpoolError
from preference_center.inbound.spool_replay import adopt, apply_batch
from preference_center.inbound.spool_rows import SpooledUnsubscribe
from preference_center.store import Database, KeyCheckError, SchemaError, UnavailableError
from preference_center.store.schema import check_schema
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

REPORT_SECONDS = 0.5
_OVERDUE_SECONDS = 2  # since the last report: the database is down or silent
MAX_AGE = timedelta(minutes=5)  # After that, the age of the oldest row is logged as a warning.
_WARNING_SECONDS = 60
_RETRY_SECONDS = 30  # after rows could not be applied, or a file could not be read
_STOP_SECONDS = 10  # Longer than a silent database keeps the thread waiting.


class SpoolService:
    """The spool of this process. Creating it raises OSError or SpoolError if there can be none.

    `observe` is called with the state after each round of the thread.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        clock: Callable[[], datetime],
        max_rows: int = MAX_ROWS,
        observe: Callable[[SpoolState], object] | None = None,
    ) -> None:
        self._database, self._folder, self._clock = database, folder, clock
        self._observe = observe
        self.process = Process(uuid4(), socket.gethostname(), os.getpid())
        self._own = spool_folder.create(folder, self.process.id, max_rows)
        self._registered = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._next_report = self._next_replay = self._next_warning = 0.0
        self._reported_at = 0.0
        self._trouble = ""

    def start(self) -> None:
        """Start the thread. `stop` is called when the process ends, if it was not called before."""
        self._thread.start()
        # Not `atexit`: the server's worker process ends without running its handlers.
        util.Finalize(None, self.stop, exitpriority=2)

    def write(self, entries: Sequence[SpooledUnsubscribe]) -> None:
        """Store unsubscribes durably, all or none.

        Raises:
            UnavailableError: nothing was stored, because this process is not registered, the spool
                is full, or its file cannot be written.
        """
        # A fork shares the lock and the file, but has no thread that reports and replays.
        if not self._registered or os.getpid() != self.process.pid:
            raise SpoolError("this process is not registered with the database yet")
        self._own.spool.write(entries)

    def state(self) -> SpoolState:
        """Return how much waits, since when, and whether `write` can store more."""
        state = self._own.spool.state()
        return SpoolState(state.rows, state.oldest_at, state.accepts and self._registered)

    def is_overdue(self) -> bool:
        """Return True if the last report to the database was more than 2 seconds ago."""
        return time.monotonic() - self._reported_at > _OVERDUE_SECONDS

    def stop(self) -> None:
        """Stop the thread. If nothing waits then, unregister this process and delete its file.

        Otherwise the file stays, and the next process that starts adopts it.
        """
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        if not self._thread.is_alive():
            if not self._trouble:  # Otherwise the database may be silent, and the server waits.
                self.run_once()
            self._give_up()

    def run_once(self) -> None:
        """Register if necessary, replay, adopt and report. Log an error instead of raising it."""
        trouble = ""
        try:
            self._work()
        except (KeyCheckError, SchemaError) as error:
            self._registered = False  # This database may not be ours: nothing is spooled for it.
            trouble = str(error)
        except (UnavailableError, OSError) as error:
            trouble = str(error)
        except Exception as error:  # noqa: BLE001 (the thread must go on)
            trouble = type(error).__name__
            if not self._trouble:
                log_unexpected(log, "spool", error)
        if trouble and not self._trouble:
            log.warning("the spool cannot be replayed or reported: %s", trouble)
        if self._trouble and not trouble:
            log.info("the spool is replayed and reported again")
        self._trouble = trouble
        with suppress(SpoolError):  # `write` and the next report raise it too.
            if self._observe is not None:
                self._observe(self.state())
            self._warn_of_age()
            # No request would find out: while nothing is accepted, `/readyz` keeps requests away.
            self._own.spool.check_disk()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.run_once()
            self._stop.wait(REPORT_SECONDS)

    def _work(self) -> None:
        if not self._registered:
            check_schema(self._database)
            self._report()
        if time.monotonic() >= self._next_replay:
            self._replay()
        self._report()

    def _replay(self) -> None:
        """Replay this process's spool and those of ended ones, even if one of the two fails."""
        for replay in (self._replay_own, self._adopt):
            try:
                replay()
            except SpoolError as error:
                self._next_replay = time.monotonic() + _RETRY_SECONDS
                log.error("%s", error)  # noqa: TRY400 (no traceback)

    def _replay_own(self) -> None:
        if count := self._own.spool.replay(self._apply):
            log.info("unsubscribes replayed: %d", count)

    def _adopt(self) -> None:
        adopted = adopt(self._database, self._folder, self._apply)
        if adopted.spools:
            log.info("spools adopted: %d, unsubscribes in them: %d", adopted.spools, adopted.rows)

    def _give_up(self) -> None:
        self._registered = False
        try:
            if not self._trouble and self._own.spool.close_if_empty():
                with self._database.transaction() as session:
                    processes.remove(session, self.process.id)
                self._own.delete()
        except UnavailableError as error:
            log.warning("the spool is left to the next process: %s", error)
        finally:
            self._own.release()

    def _apply(self, entries: Sequence[SpooledUnsubscribe]) -> None:
        apply_batch(self._database, self._clock, entries)
        if time.monotonic() >= self._next_report:
            self._report()

    def _report(self) -> None:
        self._next_report = time.monotonic() + REPORT_SECONDS
        with self._database.transaction() as session:
            processes.report(session, self.process, self._waiting)
        self._reported_at = time.monotonic()
        self._registered = True

    def _waiting(self) -> Waiting:
        state = self._own.spool.state()
        return Waiting(state.rows, state.oldest_at)

    def _warn_of_age(self) -> None:
        state, now = self._own.spool.state(), self._clock()
        age = now - (state.oldest_at or now)
        if age > MAX_AGE and time.monotonic() >= self._next_warning:
            self._next_warning = time.monotonic() + _WARNING_SECONDS
            minutes = age // timedelta(minutes=1)
            log.warning(
                "unsubscribes in the spool: %d, the oldest for %d minutes", state.rows, minutes
            )
