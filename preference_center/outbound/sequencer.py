"""The sequencer: gives events their positions in the feed, soon after they are committed."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from preference_center.core import feed
from preference_center.outbound.attempts import attempt
from preference_center.store import Database

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Sequencer:
    """Numbers the events of the feed. Any number can run: one at a time numbers."""

    database: Database
    clock: Callable[[], datetime]

    def run(self, stop: Event) -> None:
        """Number events until `stop` is set."""
        while not stop.is_set():
            if attempt(self.number, "feed", log) != feed.BATCH_SIZE:
                stop.wait(_POLL_SECONDS)

    def number(self) -> int:
        """Number a batch of events, and return how many there were."""
        with self.database.reading() as session:
            if feed.oldest_unnumbered(session) is None:
                return 0
        with self.database.transaction() as session:
            return feed.number(session, self.clock())
