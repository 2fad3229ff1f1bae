"""Make the changes to frozen lists that staff have started or undone, step by step."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from preference_center.core.lists import frozen
from preference_center.outbound.attempts import attempt
from preference_center.store import Database

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class ListChanges:
    """Makes the steps of lists. Any number can run: one at a time works on a list."""

    database: Database
    clock: Callable[[], datetime]

    def run(self, stop: Event) -> None:
        """Make steps until `stop` is set."""
        while not stop.is_set():
            if not attempt(self.advance, "list", log):
                stop.wait(_POLL_SECONDS)

    def advance(self) -> bool:
        """Make one step; return False if there was none."""
        with self.database.reading() as session:
            if not frozen.is_waiting(session):
                return False
        with self.database.transaction() as session:
            return frozen.advance(session, self.clock())
