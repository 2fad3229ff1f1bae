"""Queue the emails that members of staff have chosen: weekly figures, and alerts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from threading import Event

from preference_center.core.figures import alarms
from preference_center.core.staff import emails
from preference_center.outbound.attempts import attempt
from preference_center.store import Database

log = logging.getLogger(__name__)

_POLL_SECONDS = 300.0


@dataclass(frozen=True)
class StaffEmails:
    """Queues each email once, whichever worker is the first to look. Any number can run."""

    database: Database
    zone: tzinfo
    clock: Callable[[], datetime]

    def run(self, stop: Event) -> None:
        """Queue what is due until `stop` is set."""
        while not stop.is_set():
            attempt(self.queue, "emails to staff", log)
            stop.wait(_POLL_SECONDS)

    def queue(self) -> None:
        """Queue what is due."""
        now = self.clock()
        with self.database.transaction() as session:
            emails.queue_figures(session, now, self.zone)
        with self.database.reading() as session:
            if not emails.wants_alerts(session):
                return
            found = alarms.load(session, now)
        with self.database.transaction() as session:
            newest = alarms.note(session, found, now)
            if newest is not None:
                emails.queue_alerts(session, newest, now)
