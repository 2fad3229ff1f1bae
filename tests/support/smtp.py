"""A local SMTP server that keeps emails, refuses them or drops connections.

    with smtp.server(replies={"RCPT": "451 4.3.0 later"}) as server: ...
    server.emails[0].message, server.url

A reply of `DROP` closes the connection instead of answering; `SILENCE` never answers. After a
`MESSAGE`, `KEEP_AND_DROP` closes the connection although the email was accepted.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cache, cached_property
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DROP = "drop the connection"
KEEP_AND_DROP = "keep the email, and drop the connection"
SILENCE = "answer nothing, ever"
ELSEWHERE = "127.0.0.2"  # a host whose certificate is checked, since it is not `localhost`
HOST_NAME = "hooks.example.org"  # a name that the certificate is for
USER, PASSWORD = "northwind", "pass:word/with@marks"


@dataclass(frozen=True)
class ReceivedEmail:
    """An email as the server received it: its envelope and its bytes."""

    sender: str
    recipients: list[str]
    raw: bytes
    over_tls: bool
    logged_in: bool

    @cached_property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=default)


@dataclass
class Server:
    """A listening server and the emails it has received.

    `replies` maps a step to the reply that replaces the usual one: `CONNECT`, `MAIL` (or
    `NULL SENDER` for only that sender), `RCPT`, `DATA`, `BODY` (while the email arrives),
    `MESSAGE` (when it is complete) and `QUIT`.
    """

    replies: Mapping[str, str] = field(default_factory=dict)
    on_email: Callable[[ReceivedEmail], None] = lambda _: None
    emails: list[ReceivedEmail] = field(default_factory=list)
    url: str = ""

    def url_with_login(self, password: str) -> str:
        """Return the URL with the server's user and a password."""
        return self.url.replace("://", f"://{quote(USER)}:{quote(password, safe='')}@")

    async def answer(self, step: str, server: Any, usual: str) -> str:
        """Return the reply to a step, or drop the connection, or never return."""
        reply = self.replies.get(step, usual)
        if reply in (DROP, KEEP_AND_DROP):
            server.transport.abort()
        elif reply == SILENCE:
            await asyncio.Event().wait()
        return reply

    async def handle_MAIL(  # noqa: N802
        self, server: Any, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        step = "NULL SENDER" if address == "<>" and "NULL SENDER" in self.replies else "MAIL"
        return await self.answer(step, server, "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return await self.answer("RCPT", server, "250 OK")

    async def handle_DATA(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        reply = await self.answer("MESSAGE", server, "250 OK")
        if reply.startswith("250") or reply == KEEP_AND_DROP:
            sender = "" if envelope.mail_from == "<>" else envelope.mail_from or ""
            over_tls = server.transport.get_extra_info("ssl_object") is not None
            raw = envelope.original_content or b""
            self.emails.append(
                ReceivedEmail(sender, envelope.rcpt_tos, raw, over_tls, bool(session.authenticated))
            )
            self.on_email(self.emails[-1])
        return reply

    async def handle_QUIT(  # noqa: N802
        self, server: Any, _session: Session, _envelope: Envelope
    ) -> str:
        return await self.answer("QUIT", server, "221 Bye")


class _Protocol(SMTP):
    """Applies `replies` at the steps for which aiosmtpd does not call its handler."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._connection = transport
        if self.event_handler.replies.get("CONNECT") == DROP:
            transport.abort()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        replies = self.event_handler.replies
        if "DATA" in replies:
            await self.push(await self.event_handler.answer("DATA", self, ""))
        elif replies.get("BODY") == DROP:
            await self.push("354 go on")
            self._connection.abort()
        else:
            await super().smtp_DATA(arg)


class _Controller(Controller):
    def __init__(self, server: Server, host: str, **options: Any) -> None:
        self._options = options
        implicit = options.pop("implicit_tls", None)
        super().__init__(server, hostname=host, port=0, ssl_context=implicit)

    def factory(self) -> SMTP:
        return _Protocol(self.handler, hostname="mail.test", **self._options)

    def _trigger_server(self) -> None:
        """Connect once, as the base class does, to the port that was assigned."""
        listening: Any = self.server
        self.port = listening.sockets[0].getsockname()[1]
        socket.create_connection((self.hostname, self.port), 5).close()


@contextmanager
def server(
    *,
    replies: Mapping[str, str] | None = None,
    on_email: Callable[[ReceivedEmail], None] = lambda _: None,
    tls: str = "none",
    login: bool = False,
    smtputf8: bool = True,
    host: str = "127.0.0.1",
) -> Iterator[Server]:
    """Yield a server. `tls` is `none`, `starttls` (required) or `implicit`."""
    running = Server(replies or {}, on_email)
    options: dict[str, Any] = {"enable_SMTPUTF8": smtputf8, "timeout": 30}
    if tls == "starttls":
        options.update(tls_context=server_tls(), require_starttls=True)
    elif tls == "implicit":
        options["implicit_tls"] = server_tls()
    if login:
        options.update(authenticator=_authenticate, auth_required=True)
        options["auth_require_tls"] = tls == "starttls"
    controller = _Controller(running, host, **options)
    controller.start()
    running.url = f"{'smtps' if tls == 'implicit' else 'smtp'}://{host}:{controller.port}"
    try:
        yield running
    finally:
        controller.stop()


def _authenticate(
    _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
) -> AuthResult:
    expected = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=data == expected, handled=False)


@cache
def certificate() -> tuple[bytes, bytes]:
    """Return a self-signed certificate for local addresses, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    addresses = [x509.IPAddress(ip_address(host)) for host in ("127.0.0.1", ELSEWHERE)]
    names = [*addresses, x509.DNSName(HOST_NAME)]
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@cache
def server_tls() -> ssl.SSLContext:
    """Return the TLS context of a server with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with TemporaryDirectory() as folder:
        chain = Path(folder) / "server.pem"
        chain.write_bytes(b"".join(certificate()))
        context.load_cert_chain(chain)
    return context


def wait_for_email(running: Server, count: int, seconds: float = 20) -> None:
    """Return once `count` emails have arrived; fail after `seconds`."""
    tick, waited = threading.Event(), 0.0
    while len(running.emails) < count:
        assert waited < seconds, f"{len(running.emails)} of {count} emails arrived"
        tick.wait(0.02)
        waited += 0.02
