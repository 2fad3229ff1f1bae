"""An IMAP folder is a queue: each message leaves it when what it says is done, and not before.

RFC 3501 and 9051; RFC 6851 for MOVE, which is undone by no crash halfway; RFC 2342 for where a
folder may stand. Of the messages that wait, only their numbers and the one in hand are held.
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
_SECONDS_FOR_AN_ANSWER = 30
_PERSONAL = re.compile(rb'\(\("([!#-\[\]-~]*)" "([!#-\[\]-~])"')  # the prefix, the separator
_DELETED_AT_ONCE = 500  # each stands in the command, whose length servers limit


class MailboxError(Exception):
    """The mailbox cannot be used now; the message says why, without an address or a name."""


class ImapFolder:
    """The folder at `imaps://user:password@host[:port]/FOLDER` or `imap://…`.

    STARTTLS is used wherever it is offered, and demanded except on this machine itself; so is a
    certificate that can be verified. `keep` is how long a message that is done with stays.
    """

    def __init__(
        self,
        url: str,
        receiver: MailProcessor,
        keep: timedelta,
        *,
        timeout: float = _SECONDS_FOR_AN_ANSWER,
    ) -> None:
        self._url = urlsplit(url)
        self._host = self._url.hostname or ""
        self._tls = tls_for(self._host)
        self._name = unquote(self._url.path.strip("/")) or "INBOX"
        self._receiver, self._keep, self._timeout = receiver, keep, timeout

    def look(self, stop: Event) -> bool:
        """Take each message that is there until `stop` is set; return whether all is done.

        Never raises: what is not done now stays where it is, for the next look.
        """
        try:
            with _translated(), self._opened() as box:
                return self._empty(box, stop)
        except (MailboxError, UnavailableError) as error:
            log.warning("inbound mail waits: %s", error)
        except Exception as error:  # noqa: BLE001 (an answer that nobody foresaw ends no service)
            log_unexpected(log, "the mailbox", error)
        return False

    def _empty(self, box: BaseMailBox, stop: Event) -> bool:
        done = self._beside(box)
        box.folder.set(self._name)
        results = []
        for uid in box.uids(charset=None):
            if stop.is_set():
                return False
            results.append(self._take(box, uid, done))
        self._forget(box, done)
        return all(results)

    def _take(self, box: BaseMailBox, uid: str, done: str) -> bool:
        """Do what one message says, then move it away; False where that failed unexpectedly."""
        raw = _read(box, uid)
        if raw is None:
            return True  # somebody else has taken it meanwhile
        try:
            self._receiver.process(raw)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 (one message that fails stops no other)
            log_unexpected(log, "inbound mail", error)
            return False
        box.move(uid, done)
        return True

    def _forget(self, box: BaseMailBox, done: str) -> None:
        """Delete what came in too long ago (P12); a server counts that in whole days."""
        box.folder.set(done)
        old = box.uids(AND(date_lt=(self._receiver.clock() - self._keep).date()), charset=None)
        box.delete(old, chunks=_DELETED_AT_ONCE)

    def _beside(self, box: BaseMailBox) -> str:
        """Return the name of `Done` beside our folder, which is there now."""
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
                box.logout()  # all is done or lost by now, whatever the answer to this is
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
            raise MailboxError("the mail server offers no STARTTLS, which a login needs")
        user, password = unquote(self._url.username or ""), unquote(self._url.password or "")
        # LOGIN takes ASCII alone; some servers offer nothing else.
        log_in = box.login_utf8 if "AUTH=PLAIN" in client.capabilities else box.login
        try:
            log_in(user, password, initial_folder=None)
        except IMAP4.abort:
            raise
        except (IMAP4.error, ImapToolsError):
            raise MailboxError("the login was refused") from None
        # Many servers say what they can do, MOVE for one, only to whoever is logged in.
        client.capabilities = tuple(client.capability()[1][-1].decode().upper().split())


def _read(box: BaseMailBox, uid: str) -> bytes | None:
    """Return a message, or the first MAX_MESSAGE_BYTES bytes of it; None where it is gone.

    What matters stands at the front. It is not marked as seen.
    """
    typ, data = box.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MAX_MESSAGE_BYTES}>)")
    if typ != "OK":
        raise MailboxError("the mail server does not give a message out")
    return next((part[1] for part in data if isinstance(part, tuple)), None)


def _namespace(client: IMAP4) -> tuple[str, str]:
    """Return what the names of one's own folders begin with, and what divides their levels."""
    if "NAMESPACE" in client.capabilities:
        answer = client.namespace()[1][-1]
        said = _PERSONAL.match(answer) if isinstance(answer, bytes) else None
        if said is not None:
            return said[1].decode(), said[2].decode()
    return "", "/"


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the library's many ways to fail into MailboxError, which quotes no server."""
    try:
        yield
    except ssl.SSLCertVerificationError:
        raise MailboxError("the mail server's certificate is not trusted") from None
    except (IMAP4.error, ImapToolsError) as error:
        raise MailboxError(f"the mail server refused or left ({type(error).__name__})") from None
    except OSError as error:
        raise MailboxError(f"no answer from the mail server ({type(error).__name__})") from None
