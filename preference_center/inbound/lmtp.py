"""LMTP: a mail server hands messages over, and keeps each one until we have done what it says.

RFC 2033: one answer for each recipient. The database is asked in threads, so that a slow one holds
up no other connection.
"""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope, Session

from preference_center.inbound.mail import MAX_MESSAGE_BYTES, MailProcessor
from preference_center.store import UnavailableError
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 1_048_576  # bytes
THREADS = 4


@contextmanager
def listening(receiver: MailProcessor, host: str, port: int) -> Iterator[None]:
    """Take in messages until the block ends; a message that is being taken in is finished first."""
    logging.getLogger("mail.log").disabled = True  # aiosmtpd writes every address there
    with ThreadPoolExecutor(THREADS) as pool:
        controller = _Controller(_Handler(receiver, pool), hostname=host, port=port)
        controller.start()
        try:
            yield
        finally:
            controller.stop()


class _Lmtp(LMTP):
    line_length_limit = MAX_LINE_BYTES  # real reports break the 1,000 octets of RFC 5321


class _Controller(Controller):
    def factory(self) -> LMTP:
        return _Lmtp(self.handler, data_size_limit=MAX_MESSAGE_BYTES, enable_SMTPUTF8=True)


class _Handler:
    """What is asked of us for each message."""

    def __init__(self, receiver: MailProcessor, pool: ThreadPoolExecutor) -> None:
        self._receiver, self._pool = receiver, pool

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        recipients = [str(each) for each in envelope.rcpt_tos]
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        loop = asyncio.get_running_loop()
        answers = [
            await loop.run_in_executor(self._pool, self._take, raw, recipient)
            for recipient in recipients
        ]
        return "\r\n".join(answers)

    def _take(self, raw: bytes, recipient: str) -> str:
        try:
            self._receiver.process(raw, [recipient])
        except UnavailableError as error:
            log.warning("inbound mail waits: %s", error)
            return "451 4.3.0 Try again later"
        except Exception as error:  # noqa: BLE001 (one message that fails stops no other)
            log_unexpected(log, "inbound mail", error)
            return "451 4.3.0 Try again later"
        return "250 2.0.0 Done"
