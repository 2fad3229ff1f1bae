"""The worker: lease an email and commit, send it outside any transaction, then settle the lease.

If a worker ends between sending and settling, the email is sent again under the same Message-ID
once the lease has expired. No email is lost.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from preference_center.core import leases, request_limits
from preference_center.core.leases import LeasedEmail
from preference_center.core.vocab import OutboxKind, OutboxState
from preference_center.i18n import Languages
from preference_center.outbound import messages
from preference_center.outbound.compose import Headers, compose
from preference_center.outbound.transport import PermanentError, TemporaryError, Transport
from preference_center.settings.settings import Settings
from preference_center.store import Database, UnavailableError
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0


class _HeldError(Exception):
    """An email may not be sent before `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


@dataclass(frozen=True)
class Worker:
    """Sends the emails of the outbox. On PostgreSQL, any number of workers can run at once."""

    database: Database
    transport: Transport
    settings: Settings
    languages: Languages
    clock: Callable[[], datetime]

    def run(self, stop: Event) -> None:
        """Send emails until `stop` is set. An email that is being sent is finished first."""
        while not stop.is_set():
            try:
                busy = self.send_one()
            except UnavailableError as error:
                log.warning("waiting: %s", error)
                busy = False
            if not busy:
                stop.wait(_POLL_SECONDS)

    def send_one(self) -> bool:
        """Send the email that has been due longest; return False if none is due."""
        with self.database.transaction() as session:
            leased = leases.lease(session, self.clock())
        if leased is None:
            return False
        try:
            state = self._send(leased)
        except _HeldError as held:
            self._postpone(leased, held.until)
        except TemporaryError as error:
            log.warning("email %s, attempt %d: %s", leased.id, leased.attempts, error)
            self._retry(leased, str(error))
        except PermanentError as error:
            log.warning("email %s failed: %s", leased.id, error)
            self._settle(leased, OutboxState.FAILED, str(error))
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 (an email that cannot be composed blocks no other)
            log_unexpected(log, f"email {leased.id}, attempt {leased.attempts}", error)
            self._retry(leased, type(error).__name__)
        else:
            self._settle(leased, state)
        return True

    def _send(self, leased: LeasedEmail) -> OutboxState:
        """Send an email, unless it is no longer needed; return the state to settle with."""
        now, database = self.clock(), self.database
        # The link of an invitation is stored when it is emailed.
        stores = leased.kind is OutboxKind.STAFF_INVITATION
        with database.transaction() if stores else database.reading() as session:
            content = messages.write(session, leased, self.settings, self.languages, now)
        if content is None:
            return OutboxState.DROPPED
        if content.to_stranger and leased.attempts == 1:
            self._count_stranger(leased, now)
        headers = Headers(
            from_name=self.settings.mail_from_name or self.settings.brand_name,
            from_address=self.settings.mail_from or "",
            reply_to=content.reply_to or self.settings.reply_to,
            message_id=leased.message_id,
            date=now,
            in_reply_to=leased.in_reply_to,
        )
        message = compose(self.languages, content, headers)
        self.transport.send(message, self.settings.envelope_from, content.to)
        return OutboxState.SENT

    def _count_stranger(self, leased: LeasedEmail, now: datetime) -> None:
        """Count an email to an unknown address, or raise _HeldError if too many were sent."""
        with self.database.transaction() as session:
            ceiling = self.settings.sign_up_hourly_limit
            may_send = request_limits.take_hourly(
                session, now, ceiling, is_postponed=leased.is_postponed
            )
        if not may_send:
            raise _HeldError(request_limits.hour_of(now) + request_limits.HOUR)

    def _postpone(self, leased: LeasedEmail, until: datetime) -> None:
        with self.database.transaction() as session:
            leases.postpone(session, leased, until)

    def _settle(self, leased: LeasedEmail, state: OutboxState, why: str = "") -> None:
        with self.database.transaction() as session:
            leases.settle(session, leased, self.clock(), state, why)

    def _retry(self, leased: LeasedEmail, why: str) -> None:
        with self.database.transaction() as session:
            leases.retry(session, leased, self.clock(), why)
