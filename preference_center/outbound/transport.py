"""Deliver emails to an SMTP server."""

import re
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from preference_center.util.tls import tls_for

_ANSWER_TIMEOUT_SECONDS = 20


class DeliveryError(Exception):
    """An email was not accepted. The message says why, and contains no address."""


class TemporaryError(DeliveryError):
    """It may be accepted later: after a 4xx, a failed connection or a failed login."""


class PermanentError(DeliveryError):
    """It will never be accepted: after a 5xx."""


class Transport(Protocol):
    """A way to deliver emails."""

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Deliver one email from the envelope address `sender`, or raise DeliveryError."""


class SmtpTransport:
    """An SMTP server at `smtp://[user:password@]host[:port]` or `smtps://…`.

    STARTTLS is used if the server offers it, and required for a login and on port 587. The
    certificate is verified, unless the server is on this machine.
    """

    def __init__(self, url: str, *, timeout: float = _ANSWER_TIMEOUT_SECONDS) -> None:
        self._timeout = timeout
        self._url: SplitResult = urlsplit(url)
        self._host = self._url.hostname or ""
        self._tls = tls_for(self._host)

    def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Send one email over a new connection."""
        try:
            server = self._connect()
            try:
                self._log_in(server)
                _send(server, message, sender, recipient)
            finally:
                _quit(server)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(*next(iter(error.recipients.values()))) from None
        except smtplib.SMTPAuthenticationError as error:
            raise TemporaryError(f"the login was refused ({error.smtp_code})") from None
        except smtplib.SMTPResponseException as error:
            raise _refusal(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPNotSupportedError:
            raise PermanentError(
                "the mail server does not support this address (SMTPUTF8)"
            ) from None
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
            raise TemporaryError("the mail server offers no STARTTLS, which is required")
        if self._url.username:
            if not server.has_extn("auth"):
                raise TemporaryError("the mail server offers no login")
            server.login(unquote(self._url.username), unquote(self._url.password or ""))


def _send(server: smtplib.SMTP, message: EmailMessage, sender: str, recipient: str) -> None:
    """Send a message unchanged. `send_message` would insert ">" before lines starting "From "."""
    utf8 = not f"{sender}{recipient}{message['Reply-To']}".isascii()
    policy: Any = message.policy  # Its declared type lacks the arguments of `clone`.
    raw = message.as_bytes(policy=policy.clone(utf8=utf8, linesep="\r\n"))
    server.sendmail(sender, [recipient], raw, ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else [])


def _quit(server: smtplib.SMTP) -> None:
    """Close the connection. The email has been accepted or refused before, so ignore errors."""
    with suppress(smtplib.SMTPException, OSError):
        server.quit()
    server.close()


def _refusal(code: int, reply: bytes | str) -> DeliveryError:
    """Return the error for a refusal. It keeps only the codes: the text may contain an address."""
    text = reply if isinstance(reply, str) else reply.decode("ascii", "replace")
    enhanced = re.match(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}\b", text)
    said = f"the mail server said {code}{f' {enhanced[0]}' if enhanced else ''}"
    return TemporaryError(said) if 400 <= code < 500 else PermanentError(said)
