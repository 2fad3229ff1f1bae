"""Count how often pages are opened, in memory, and add it to the database in the background."""

import logging
import threading
from collections import Counter
from datetime import datetime
from multiprocessing import util

from preference_center.core import openings
from preference_center.store import Database, UnavailableError

log = logging.getLogger(__name__)

SECONDS_BETWEEN_FLUSHES = 10
MOST_KEYS = 10_000  # what is more than that is not counted: memory is for serving


class OpeningCounter:
    """Counts by hour, topic and campaign; never a person or a link (design 4)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: Counter[openings.Key] = Counter()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._at_exit: util.Finalize | None = None

    def count(self, topic: str, campaign: str, now: datetime) -> None:
        """Count one opening; the first one after a flush starts the clock to the next."""
        key = (openings.hour_of(now), topic, campaign)
        with self._lock:
            if key in self._counts or len(self._counts) < MOST_KEYS:
                self._counts[key] += 1
            if self._timer is None:
                self._timer = threading.Timer(SECONDS_BETWEEN_FLUSHES, self.flush)
                self._timer.daemon = True
                self._timer.start()
            if self._at_exit is None:
                # Not atexit: a server's worker process ends without it.
                self._at_exit = util.Finalize(None, self.flush, exitpriority=1)

    def flush(self) -> None:
        """Add what was counted to the database; what it cannot take now is added later."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        try:
            if counts:
                with self._database.transaction() as session:
                    openings.add(session, counts)
        except UnavailableError as error:
            log.warning("openings wait: %s", error)
            with self._lock:
                self._counts.update(counts)
            return
        with self._lock:
            if self._at_exit is not None and not self._counts:
                self._at_exit.cancel()
                self._at_exit = None
