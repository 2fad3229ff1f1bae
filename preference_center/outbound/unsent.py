"""Warn in the log of emails that wait in the outbox, where a worker sends none."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

from preference_center.core import monitoring
from preference_center.outbound.attempts import attempt
from preference_center.store import Database

log = logging.getLogger(__name__)

MAX_LATE = timedelta(minutes=1)  # Another worker would have sent the email by then.
_POLL_SECONDS = 300.0


@dataclass(frozen=True)
class Unsent:
    """Looks for emails that no worker sends, every five minutes."""

    database: Database
    clock: Callable[[], datetime]

    def run(self, stop: Event) -> None:
        """Look for such emails until `stop` is set."""
        while not stop.is_set():
            attempt(self.warn, "emails that wait", log)
            stop.wait(_POLL_SECONDS)

    def warn(self) -> None:
        """Log a warning if emails are late."""
        with self.database.reading() as session:
            count, first = monitoring.emails_due(session, self.clock() - MAX_LATE)
        if first is not None:
            log.warning(
                "emails wait in the outbox, and this worker sends none, because SMTP_URL is "
                "missing: %d, the first since %s",
                count,
                first.isoformat(timespec="seconds"),
            )
