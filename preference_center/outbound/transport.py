"""Hand a mail over: to an SMTP server, or to a folder (the demo's inbox)."""

import re
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from preference_center.util.tls import tls_for

_SECONDS_FOR_AN_ANSWER = 20


class DeliveryError(Exception):
    """A mail was not taken; the message says why, without an address."""


class TemporaryError(DeliveryError):
    """It may be taken later: a 4xx, a dropped connection, no connection, no login."""


class PermanentError(DeliveryError):
    """It will not be taken: a 5xx."""


class Transport(Protocol):
    """Takes one mail, or raises DeliveryError."""

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None: ...


class SmtpTransport:
    """An SMTP server at `smtp://[user:password@]host[:port]` or `smtps://…`.

    STARTTLS is used wherever it is offered, and demanded before a login and on port 587. The
    server's certificate is verified, except on this machine itself.
    """

    def __init__(self, url: str, *, timeout: float = _SECONDS_FOR_AN_ANSWER) -> None:
        self._timeout = timeout
        self._url: SplitResult = urlsplit(url)
        self._host = self._url.hostname or ""
        self._tls = tls_for(self._host)

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Send one mail over a connection of its own."""
        try:
            server = self._connect()
            try:
                self._log_in(server)
                _hand_over(server, message, sender, recipient)
            finally:
                _leave(server)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(*next(iter(error.recipients.values()))) from None
        except smtplib.SMTPAuthenticationError as error:
            raise TemporaryError(f"the login was refused ({error.smtp_code})") from None
        except smtplib.SMTPResponseException as error:
            raise _refusal(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPNotSupportedError:
            raise PermanentError("the mail server takes no such address (SMTPUTF8)") from None
        except ssl.SSLCertVerificationError:
            raise TemporaryError("the mail server's certificate is not trusted") from None
        except (smtplib.SMTPException, OSError) as error:
            raise TemporaryError(
                f"no answer from the mail server ({type(error).__name__})"
            ) from None

    def _connect(self) -> smtplib.SMTP:
        if self._url.scheme == "smtps":
            return smtplib.SMTP_SSL(
                self._host,
                self._url.port or 465,
                timeout=self._timeout,
                context=self._tls,
            )
        default = 587 if self._url.username else 25
        port = self._url.port or default
        return smtplib.SMTP(self._host, port, timeout=self._timeout)

    def _log_in(self, server: smtplib.SMTP) -> None:
        server.ehlo()
        if self._url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=self._tls)
            server.ehlo()
        elif self._url.scheme == "smtp" and (self._url.username or self._url.port == 587):
            raise TemporaryError("the mail server offers no STARTTLS, which a login needs")
        if self._url.username:
            if not server.has_extn("auth"):
                raise TemporaryError("the mail server offers no login")
            server.login(unquote(self._url.username), unquote(self._url.password or ""))


def _hand_over(server: smtplib.SMTP, message: EmailMessage, sender: str, recipient: str) -> None:
    """Send a mail as it is; `send_message` would put ">" before a line that begins with "From "."""
    utf8 = not (sender + recipient).isascii()
    policy: Any = message.policy  # whose `clone` knows what it is a policy of, unlike its type
    raw = message.as_bytes(policy=policy.clone(utf8=utf8, linesep="\r\n"))
    server.sendmail(sender, [recipient], raw, ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else [])


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye. The mail is taken or refused by now, whatever the answer to this is."""
    with suppress(smtplib.SMTPException, OSError):
        server.quit()
    server.close()


def _refusal(code: int, reply: bytes | str) -> DeliveryError:
    """Return what a refusal means. Of the reply only its codes are kept: it may name an address."""
    text = reply if isinstance(reply, str) else reply.decode("ascii", "replace")
    enhanced = re.match(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}\b", text)
    said = f"the mail server said {code}{f' {enhanced[0]}' if enhanced else ''}"
    return TemporaryError(said) if 400 <= code < 500 else PermanentError(said)
