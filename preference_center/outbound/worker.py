"""The worker: claim a mail and commit, send it with no transaction open, settle the claim.

Killed between sending and settling, it repeats the mail under the same Message-ID when its claim
has lapsed; nothing is lost.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from threading import Event

from preference_center.core import outbox
from preference_center.core.vocab import OutboxState
from preference_center.i18n import Languages
from preference_center.outbound import messages
from preference_center.outbound.compose import Envelope, compose
from preference_center.outbound.transport import PermanentError, TemporaryError, Transport
from preference_center.settings.settings import Settings
from preference_center.store import Database, UnavailableError
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Worker:
    """Sends what the outbox holds. Any number may run on one PostgreSQL."""

    database: Database
    transport: Transport
    settings: Settings
    languages: Languages
    clock: Callable[[], datetime]

    def run(self, stop: Event) -> None:
        """Work until `stop` is set; a mail that is being sent is finished first."""
        while not stop.is_set():
            try:
                busy = self.send_one()
            except UnavailableError as error:
                log.warning("waiting: %s", error)
                busy = False
            if not busy:
                stop.wait(_SECONDS_BETWEEN_LOOKS)

    def send_one(self) -> bool:
        """Send the mail that has been due longest; False where none is due."""
        with self.database.transaction() as session:
            mail = outbox.lease(session, self.clock())
        if mail is None:
            return False
        try:
            composed = self._compose(mail)
            if composed is not None:
                self.transport.send(composed.message, self.settings.envelope_from, composed.to)
        except TemporaryError as error:
            log.warning("mail %s, try %d: %s", mail.id, mail.attempts, error)
            with self.database.transaction() as session:
                outbox.retry(session, mail, self.clock(), str(error))
        except PermanentError as error:
            log.warning("mail %s given up: %s", mail.id, error)
            self._settle(mail, OutboxState.FAILED, str(error))
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 (one mail that cannot be made stops no other)
            log_unexpected(log, f"mail {mail.id}, try {mail.attempts}", error)
            with self.database.transaction() as session:
                outbox.retry(session, mail, self.clock(), type(error).__name__)
        else:
            self._settle(mail, OutboxState.SENT if composed is not None else OutboxState.DROPPED)
        return True

    def _settle(self, mail: outbox.LeasedEmail, state: OutboxState, why: str = "") -> None:
        with self.database.transaction() as session:
            outbox.settle(session, mail, self.clock(), state, why)

    def _compose(self, mail: outbox.LeasedEmail) -> "_Composed | None":
        """Return the mail, or None where there is nothing left to say."""
        with self.database.reading() as session:
            letter = messages.write(session, mail, self.settings, self.languages, self.clock())
        if letter is None:
            return None
        envelope = Envelope(
            from_name=self.settings.brand_name,
            from_address=self.settings.mail_from or "",
            to=letter.to,
            message_id=mail.message_id,
            date=self.clock(),
            in_reply_to=letter.in_reply_to,
        )
        message = compose(self.languages, letter.locale, letter.template, envelope, **letter.values)
        return _Composed(message, letter.to)


@dataclass(frozen=True)
class _Composed:
    """A mail, and the stored address that it goes to."""

    message: EmailMessage
    to: str
