"""An LMTP server. The mail server keeps each message until it has been processed.

RFC 2033: one reply per recipient. Messages are processed in threads, so that a slow database does
not block other connections.
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

MAX_LINE_BYTES = 1_048_576
THREADS = 32  # messages at the same time


@contextmanager
def listening(processor: MailProcessor, host: str, port: int) -> Iterator[None]:
    """Accept messages until the block ends; a message in progress is finished first."""
    logging.getLogger("mail.log").disabled = True  # aiosmtpd logs every address
    with ThreadPoolExecutor(THREADS) as pool:
        controller = _Controller(_Handler(processor, pool), hostname=host, port=port)
        controller.start()
        try:
            yield
        finally:
            controller.stop()


class _Lmtp(LMTP):
    line_length_limit = MAX_LINE_BYTES  # real reports exceed the 1,000 octets of RFC 5321


class _Controller(Controller):
    def factory(self) -> LMTP:
        return _Lmtp(self.handler, data_size_limit=MAX_MESSAGE_BYTES, enable_SMTPUTF8=True)


class _Handler:
    """Processes each message, once per recipient."""

    def __init__(self, processor: MailProcessor, pool: ThreadPoolExecutor) -> None:
        self._processor, self._pool = processor, pool

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        recipients = [str(each) for each in envelope.rcpt_tos]
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        loop = asyncio.get_running_loop()
        replies = [
            await loop.run_in_executor(self._pool, self._process, raw, recipient)
            for recipient in recipients
        ]
        return "\r\n".join(replies)

    def _process(self, raw: bytes, recipient: str) -> str:
        try:
            self._processor.process(raw, [recipient])
        except UnavailableError as error:
            log.warning("inbound email deferred: %s", error)
            return "451 4.3.0 Try again later"
        except Exception as error:  # noqa: BLE001 (one failing message must not stop others)
            log_unexpected(log, "inbound email", error)
            return "451 4.3.0 Try again later"
        return "250 2.0.0 Done"
