"""End the wait for consumers to acknowledge erasures: all of them have, or HELD_FOR is over."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from preference_center.core import unacknowledged
from preference_center.core.unacknowledged import Key, Unacknowledged
from preference_center.outbound.attempts import attempt
from preference_center.store import Database

log = logging.getLogger(__name__)

_POLL_SECONDS = 5.0
_MIN_PAUSE = 9  # times the duration of the last reading, which may be of many erasures


@dataclass(frozen=True)
class Erasures:
    """Deletes addresses that are no longer held. On PostgreSQL, any number can run at once."""

    database: Database
    clock: Callable[[], datetime]

    def run(self, stop: Event) -> None:
        """Settle erasures that no longer wait, until `stop` is set."""
        while not stop.is_set():
            started = time.monotonic()
            attempt(self.settle, "erasures", log)
            took = time.monotonic() - started
            stop.wait(max(_POLL_SECONDS, _MIN_PAUSE * took))

    def settle(self) -> None:
        """Settle all erasures that no longer wait."""
        after: Key | None = None
        while True:
            now = self.clock()
            with self.database.reading() as session:
                found = unacknowledged.waiting(session, now, after=after)
            self._settle([each for each in found if each.is_over(now)], now)
            if len(found) < unacknowledged.BATCH_SIZE:
                return
            after = found[-1].key

    def _settle(self, over: list[Unacknowledged], now: datetime) -> None:
        if not over:
            return
        with self.database.transaction() as session:
            settled = unacknowledged.settle(session, over, now)
        for name, count in Counter(name for each in settled for name in each.by).items():
            log.error(
                "%s has not acknowledged %d erasures in time; see: preference-center erasures",
                name,
                count,
            )
