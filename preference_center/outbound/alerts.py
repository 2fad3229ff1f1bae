"""Warn staff by email, at ALERTS_TO.

They are told of programs that do not learn of changes, and of too many sign-ups.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from threading import Event
from urllib.parse import urlsplit
from uuid import uuid4

from preference_center.core import (
    consumers,
    missed_erasures,
    request_limits,
    webhook_warnings,
)
from preference_center.core.consumers import ReadingKey
from preference_center.core.unacknowledged import BATCH_SIZE, HELD_FOR
from preference_center.core.webhooks import Webhook
from preference_center.outbound.attempts import attempt
from preference_center.outbound.transport import DeliveryError, Transport
from preference_center.settings.settings import Settings
from preference_center.store import Database

log = logging.getLogger(__name__)

_POLL_SECONDS = 300.0

_BEHIND = """\
The program with the API key "{name}" ({prefix}…) reads the feed of events of
{url}, and has not fetched an unsubscribe of
{since:%Y-%m-%d %H:%M} UTC. Mailbox providers expect an unsubscribe to take effect
within 48 hours.

Start the program again, or look for its errors. If it is no longer used, revoke its key:

    preference-center api-keys revoke {prefix}
"""

_WEBHOOK = """\
The webhook {id} of {url} to {host}
is {state}, and has not accepted all events. The last result was:
{result}

Mailbox providers expect an unsubscribe to take effect within 48 hours. Repair the receiver, then
let everything be posted that was not accepted:

    POST {url}/api/v1/webhooks/{id}/replay

If it is no longer used, delete the webhook.
"""

_MISSED = """\
These programs have not acknowledged within {days} days that subscribers of
{url} were erased. They may still keep data about them:

{programs}

The addresses are deleted here. The ids of the subscribers are listed by:

    preference-center erasures
"""


_SIGN_UPS = """\
{held} emails of sign-ups had to wait within the last day, because more people whom {url}
does not know have signed up in an hour than PREFERENCE_CENTER_SIGN_UP_HOURLY_LIMIT allows.
They are sent in the following hours, and dropped after a day.

If you expect so many sign-ups, raise the limit. If not, a program may be filling in the form:
look for many requests to /sign-up in the log of your reverse proxy, and block them there.
"""


@dataclass(frozen=True)
class Alerts:
    """Sends each warning once a day, whichever worker is the first to send it."""

    database: Database
    transport: Transport
    settings: Settings
    clock: Callable[[], datetime]

    def run(self, stop: Event) -> None:
        """Look for reasons to warn until `stop` is set."""
        while not stop.is_set():
            attempt(self.warn, "alerts", log)
            stop.wait(_POLL_SECONDS)

    def warn(self) -> None:
        """Send the warnings that are due."""
        with self.database.transaction() as session:
            late = consumers.take_late(session, self.clock())
            failing = webhook_warnings.take(session, self.clock())
            held = request_limits.take_warning(session, self.clock())
        missed = self._take_missed()
        for each in late:
            self._send("Unsubscribes are not fetched", self._text(each))
        for webhook in failing:
            self._send("A webhook does not accept events", self._text_of_webhook(webhook))
        if held:
            text = _SIGN_UPS.format(held=held, url=self.settings.public_url)
            self._send("Many unknown people sign up", text)
        if missed:
            self._send("Erasures were not acknowledged", self._text_of_missed(missed))

    def _take_missed(self) -> Counter[str]:
        """Return how many erasures each program has missed, and note the warning."""
        now, counts = self.clock(), Counter[str]()
        with self.database.reading() as session:
            more = missed_erasures.is_warning_due(session, now)
        while more:
            with self.database.transaction() as session:
                taken = missed_erasures.take(session, now)
            counts.update(name for each in taken for name in each.by)
            more = len(taken) == BATCH_SIZE
        return counts

    def _text(self, behind: ReadingKey) -> str:
        return _BEHIND.format(
            name=behind.name,
            prefix=behind.prefix,
            url=self.settings.public_url,
            since=behind.oldest_unfetched,
        )

    def _text_of_webhook(self, webhook: Webhook) -> str:
        return _WEBHOOK.format(
            id=webhook.id,
            host=urlsplit(webhook.url).hostname,
            url=self.settings.public_url,
            state=webhook.state,
            result=webhook.last_result or "none",
        )

    def _text_of_missed(self, missed: Mapping[str, int]) -> str:
        return _MISSED.format(
            days=HELD_FOR.days,
            url=self.settings.public_url,
            programs="\n".join(f"    {name}: {count:,}" for name, count in missed.items()),
        )

    def _send(self, subject: str, text: str) -> None:
        """Send an email to ALERTS_TO. A failure is logged, and the warning comes again in a day."""
        settings, message = self.settings, EmailMessage()
        sender, to = settings.mail_from or "", settings.alerts_to or ""
        message["From"] = Address(settings.mail_from_name or settings.brand_name, addr_spec=sender)
        message["To"] = Address(addr_spec=to)
        message["Subject"] = f"{settings.brand_name}: {subject}"
        message["Date"] = format_datetime(self.clock())
        message["Message-ID"] = f"<{uuid4().hex}@{sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            self.transport.send(message, settings.envelope_from, to)
        except DeliveryError as error:
            log.warning("an alert was not sent: %s", error)
