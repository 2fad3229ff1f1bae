"""Make the changes to frozen lists that staff have started or undone, step by step."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from uuid import UUID

from preference_center.core.errors import Refusal
from preference_center.core.lists import frozen
from preference_center.outbound.attempts import attempt
from preference_center.store import Database, UnavailableError

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class ListChanges:
    """Makes the steps of lists. Any number can run: one at a time works on a list.

    A step that fails holds up no other list.
    """

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
            if not frozen.is_due(session, self.clock()):
                return False
        with self.database.transaction() as session:
            list_id = frozen.lease(session, self.clock())
        if list_id is not None:
            self._make_step(list_id)
        return list_id is not None

    def _make_step(self, list_id: UUID) -> None:
        try:
            with self.database.transaction() as session:
                frozen.advance(session, list_id, self.clock())
        except UnavailableError:
            raise
        except Exception as error:
            with self.database.transaction() as session:
                frozen.fail(session, list_id, _why(error))
            raise


def _why(error: Exception) -> str:
    """Return a sentence about a failure. The message of an error may quote a row."""
    if isinstance(error, Refusal):
        return str(error)
    return f"an error of the program ({type(error).__name__}); the log of the worker says where"
