"""Process the messages in an IMAP folder. Each one is moved away only after it was processed.

RFC 3501 and 9051; RFC 6851 for MOVE, which is atomic; RFC 2342 for where to create folders. Only
the UIDs of waiting messages and one message at a time are held in memory.
"""

import logging
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from imaplib import IMAP4
from threading import Event
from urllib.parse import unquote, urlsplit

from imap_tools import AND, BaseMailBox, MailBox, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError

from preference_center.inbound.mail import MAX_MESSAGE_BYTES, MailProcessor
from preference_center.store import UnavailableError
from preference_center.util.logs import log_unexpected
from preference_center.util.tls import LOOPBACK, tls_for

log = logging.getLogger(__name__)

DONE = "Done"
_TIMEOUT_SECONDS = 30
_PERSONAL = re.compile(rb'\(\("([!#-\[\]-~]*)" "([!#-\[\]-~])"')  # prefix, separator
_DELETED_AT_ONCE = 500  # servers limit the length of a command


class MailboxError(Exception):
    """The mailbox cannot be used now. The message says why, without an address or host name."""


class ImapFolder:
    """The folder at `imaps://user:password@host[:port]/FOLDER` or `imap://…`.

    STARTTLS with a valid certificate is used if the server offers it, and required except for
    servers on this machine. Processed messages are deleted after `retention`.
    """

    def __init__(
        self,
        url: str,
        processor: MailProcessor,
        retention: timedelta,
        *,
        timeout: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._url = urlsplit(url)
        self._host = self._url.hostname or ""
        self._tls = tls_for(self._host)
        self._name = unquote(self._url.path.strip("/")) or "INBOX"
        self._processor, self._retention, self._timeout = processor, retention, timeout

    def poll(self, stop: Event) -> bool:
        """Process the messages in the folder until `stop` is set.

        Return True if all were processed; others stay for the next poll. Never raises.
        """
        try:
            with _translate_errors(), self._opened() as box:
                return self._process_all(box, stop)
        except (MailboxError, UnavailableError) as error:
            log.warning("inbound email deferred: %s", error)
        except Exception as error:  # noqa: BLE001 (an unexpected response must not stop the service)
            log_unexpected(log, "IMAP mailbox", error)
        return False

    def _process_all(self, box: BaseMailBox, stop: Event) -> bool:
        done = self._done_folder(box)
        box.folder.set(self._name)
        results = []
        for uid in box.uids(charset=None):
            if stop.is_set():
                return False
            results.append(self._process(box, uid, done))
        self._delete_old(box, done)
        return all(results)

    def _process(self, box: BaseMailBox, uid: str, done: str) -> bool:
        """Process a message and move it to `done`. Return False after an unexpected error."""
        raw = _fetch(box, uid)
        if raw is None:
            return True  # another client has moved it
        try:
            self._processor.process(raw)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 (one failing message must not stop others)
            log_unexpected(log, "inbound email", error)
            return False
        box.move(uid, done)
        return True

    def _delete_old(self, box: BaseMailBox, done: str) -> None:
        """Delete messages received before the retention period (P12), in whole days."""
        box.folder.set(done)
        limit = (self._processor.clock() - self._retention).date()
        old = box.uids(AND(date_lt=limit), charset=None)
        box.delete(old, chunks=_DELETED_AT_ONCE)

    def _done_folder(self, box: BaseMailBox) -> str:
        """Return the name of the folder `Done` next to ours; create it if necessary."""
        prefix, separator = _namespace(box.client)
        parent, found, _ = self._name.rpartition(separator)
        done = f"{parent}{found}{DONE}" if found else f"{prefix}{DONE}"
        if not box.folder.exists(done):
            box.folder.create(done)
        return done

    @contextmanager
    def _opened(self) -> Iterator[BaseMailBox]:
        box = self._connected()
        try:
            self._log_in(box)
            yield box
        finally:
            with suppress(IMAP4.error, ImapToolsError, OSError):
                box.logout()  # the outcome no longer matters
            with suppress(OSError):
                box.client.shutdown()

    def _connected(self) -> BaseMailBox:
        if self._url.scheme == "imaps":
            port = self._url.port or 993
            return MailBox(self._host, port, timeout=self._timeout, ssl_context=self._tls)
        return MailBoxUnencrypted(self._host, self._url.port or 143, timeout=self._timeout)

    def _log_in(self, box: BaseMailBox) -> None:
        client = box.client
        if self._url.scheme == "imap" and "STARTTLS" in client.capabilities:
            client.starttls(self._tls)
        elif self._url.scheme == "imap" and self._host not in LOOPBACK:
            raise MailboxError("the mail server does not offer STARTTLS, which is required")
        user, password = unquote(self._url.username or ""), unquote(self._url.password or "")
        # LOGIN supports only ASCII, but some servers offer nothing else.
        log_in = box.login_utf8 if "AUTH=PLAIN" in client.capabilities else box.login
        try:
            log_in(user, password, initial_folder=None)
        except IMAP4.abort:
            raise
        except (IMAP4.error, ImapToolsError):
            raise MailboxError("the login was refused") from None
        # Many servers announce some capabilities, such as MOVE, only after the login.
        client.capabilities = tuple(client.capability()[1][-1].decode().upper().split())


def _fetch(box: BaseMailBox, uid: str) -> bytes | None:
    """Return the first MAX_MESSAGE_BYTES bytes of a message, or None if it is gone.

    The relevant parts come first. The message is not marked as seen.
    """
    typ, data = box.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MAX_MESSAGE_BYTES}>)")
    if typ != "OK":
        raise MailboxError("the mail server refused to return a message")
    return next((part[1] for part in data if isinstance(part, tuple)), None)


def _namespace(client: IMAP4) -> tuple[str, str]:
    """Return the prefix of the user's folder names, and the separator of their levels."""
    if "NAMESPACE" in client.capabilities:
        answer = client.namespace()[1][-1]
        found = _PERSONAL.match(answer) if isinstance(answer, bytes) else None
        if found is not None:
            return found[1].decode(), found[2].decode()
    return "", "/"


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise MailboxError for the library's exceptions; it quotes nothing from the server."""
    try:
        yield
    except ssl.SSLCertVerificationError:
        raise MailboxError("the mail server's certificate is not trusted") from None
    except (IMAP4.error, ImapToolsError) as error:
        raise MailboxError(
            f"the mail server refused or disconnected ({type(error).__name__})"
        ) from None
    except OSError as error:
        raise MailboxError(f"no response from the mail server ({type(error).__name__})") from None
