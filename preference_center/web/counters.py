"""Count in memory and write to the database in the background, so that no request waits."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from multiprocessing import util
from typing import Any, Generic, TypeVar

from preference_center.store import Database, UnavailableError

log = logging.getLogger(__name__)

SECONDS_BETWEEN_FLUSHES = 10
MAX_KEYS = 10_000  # Further keys are not counted, which bounds memory.

Key = TypeVar("Key")


class BackgroundCounter(Generic[Key]):
    """Counts by key. `add` takes a session and the counts since the last flush.

    `what` names the counts in log lines.
    """

    def __init__(
        self, database: Database, add: Callable[[Any, Mapping[Key, int]], None], what: str
    ) -> None:
        self._database, self._add, self._what = database, add, what
        self._counts: Counter[Key] = Counter()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._at_exit: util.Finalize | None = None

    def count(self, key: Key) -> None:
        """Add one. The first count after a flush starts the timer for the next flush."""
        with self._lock:
            if key in self._counts or len(self._counts) < MAX_KEYS:
                self._counts[key] += 1
            if self._timer is None:
                self._timer = threading.Timer(SECONDS_BETWEEN_FLUSHES, self.flush)
                self._timer.daemon = True
                self._timer.start()
            if self._at_exit is None:
                # Not `atexit`: the server's worker process ends without running its handlers.
                self._at_exit = util.Finalize(None, self.flush, exitpriority=1)

    def flush(self) -> None:
        """Write the counts to the database. If it is unavailable, keep them for the next flush."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        try:
            if counts:
                with self._database.transaction() as session:
                    self._add(session, counts)
        except UnavailableError as error:
            log.warning("%s not stored yet: %s", self._what, error)
            with self._lock:
                self._counts.update(counts)
            return
        with self._lock:
            if self._at_exit is not None and not self._counts:
                self._at_exit.cancel()
                self._at_exit = None
