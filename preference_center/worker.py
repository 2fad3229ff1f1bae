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
from typing import Any

from preference_center.addresses import normalise
from preference_center.core import outbox, receipts, subscribers
from preference_center.i18n import Languages
from preference_center.links import Receipt, write_receipt
from preference_center.logs import log_unexpected
from preference_center.mail.compose import Envelope, compose
from preference_center.mail.transport import PermanentError, TemporaryError, Transport
from preference_center.settings import Settings
from preference_center.store import Database, UnavailableError

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
            mail = outbox.claim(session, self.clock())
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
            self._settle(mail, "failed", str(error))
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 (one mail that cannot be made stops no other)
            log_unexpected(log, f"mail {mail.id}, try {mail.attempts}", error)
            with self.database.transaction() as session:
                outbox.retry(session, mail, self.clock(), type(error).__name__)
        else:
            self._settle(mail, "sent" if composed is not None else "dropped")
        return True

    def _settle(self, mail: outbox.ClaimedMail, state: str, why: str = "") -> None:
        with self.database.transaction() as session:
            outbox.settle(session, mail, self.clock(), state, why)

    def _compose(self, mail: outbox.ClaimedMail) -> "_Composed | None":
        """Return the confirmation, or None where there is nothing left to confirm."""
        with self.database.reading() as session:
            person = subscribers.find(session, mail.subscriber_id)
            if person is None or person.email is None or "address" in person.suppressions:
                return None
            locale = self.languages.choose(person.locale)
            receipt = receipts.read(
                session, mail.subscriber_id, mail.first_seq, mail.last_seq, locale, self.clock()
            )
        if receipt is None or receipt.state in {"undone", "superseded"}:
            return None  # a later change has a mail of its own, and this one would contradict it
        envelope = Envelope(
            from_name=self.settings.brand_name,
            from_address=self.settings.mail_from or "",
            to=normalise(person.email),
            message_id=mail.message_id,
            date=self.clock(),
        )
        values = self._values(mail, receipt)
        message = compose(self.languages, locale, "confirmation", envelope, **values)
        return _Composed(message, envelope.to)

    def _values(self, mail: outbox.ClaimedMail, receipt: receipts.ShownReceipt) -> dict[str, Any]:
        signed = Receipt(mail.created_at.date(), mail.subscriber_id, mail.first_seq, mail.last_seq)
        link = write_receipt(signed, self.settings.server_keys)
        receipt_url = f"{self.settings.public_url}/r/{link}"
        return {
            "receipt": receipt,
            "standing": receipt.standing,
            "receipt_url": receipt_url,
            "undo_url": f"{receipt_url}/undo",
        }


@dataclass(frozen=True)
class _Composed:
    """A mail, and the stored address that it goes to."""

    message: EmailMessage
    to: str
