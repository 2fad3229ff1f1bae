"""SMTP with a real server: TLS, login, refusals, dropped connections, non-ASCII addresses."""

from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

import pytest

from preference_center.outbound.transport import (
    DeliveryError,
    PermanentError,
    SmtpTransport,
    TemporaryError,
)
from tests.support import processes, smtp

STEPS = ("MAIL", "RCPT", "DATA", "MESSAGE")

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def message(to: str = "ada@example.org") -> EmailMessage:
    built = EmailMessage()
    built["From"], built["To"], built["Subject"] = "letters@example.org", to, "Hello"
    built.set_content("Hello")
    return built


def send(url: str, to: str = "ada@example.org", sender: str = "", timeout: float = 10) -> None:
    SmtpTransport(url, timeout=timeout).send(message(to), sender, to)


def refusal(url: str, to: str = "ada@example.org") -> DeliveryError:
    with pytest.raises(DeliveryError) as refused:
        send(url, to)
    return refused.value


def test_an_email_is_sent_from_the_null_sender_to_one_recipient() -> None:
    with smtp.server() as server:
        send(server.url)
    assert [(each.sender, each.recipients) for each in server.emails] == [("", ["ada@example.org"])]
    assert server.emails[0].message["Subject"] == "Hello"


def test_a_line_that_begins_with_from_is_sent_unchanged() -> None:
    email = message()
    email.set_content("From 25 November 2026, you get it weekly.\n.\n")
    with smtp.server() as server:
        SmtpTransport(server.url).send(email, "", "ada@example.org")
    assert server.emails[0].raw.endswith(b"\r\nFrom 25 November 2026, you get it weekly.\r\n.\r\n")
    assert b"\n" not in server.emails[0].raw.replace(b"\r\n", b"")


def test_a_given_envelope_sender_is_used() -> None:
    with smtp.server() as server:
        send(server.url, sender="bounces@example.org")
    assert server.emails[0].sender == "bounces@example.org"


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_an_email_is_sent_over_tls(tls: str) -> None:
    with smtp.server(tls=tls) as server:
        send(server.url)
    assert server.emails[0].over_tls


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_login_works_over_tls_with_any_password(tls: str) -> None:
    with smtp.server(tls=tls, login=True) as server:
        send(server.url_with_login(smtp.PASSWORD))
    assert server.emails[0].logged_in


def test_a_wrong_password_is_a_temporary_error() -> None:
    with smtp.server(tls="starttls", login=True) as server:
        error = refusal(server.url_with_login("wrong"))
    assert isinstance(error, TemporaryError)
    assert str(error) == "the login was refused (535)"


def test_a_password_is_never_sent_in_the_clear() -> None:
    with smtp.server() as server:
        error = refusal(server.url_with_login(smtp.PASSWORD))
    assert isinstance(error, TemporaryError)
    assert "offers no STARTTLS" in str(error)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_the_certificate_of_a_remote_server_is_verified(tls: str) -> None:
    with smtp.server(tls=tls, host=smtp.ELSEWHERE) as server:
        error = refusal(server.url)
    assert isinstance(error, TemporaryError)
    assert str(error) == "the mail server's certificate is not trusted"
    assert not server.emails


def test_a_certificate_of_a_configured_authority_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_bytes(smtp.certificate()[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with smtp.server(tls="starttls", host=smtp.ELSEWHERE) as server:
        send(server.url)
    assert server.emails[0].over_tls


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("reply", ["451 4.3.0 later", "421 closing"])
def test_a_4xx_is_temporary(step: str, reply: str) -> None:
    with smtp.server(replies={step: reply}) as server:
        error = refusal(server.url)
    assert isinstance(error, TemporaryError)
    assert str(error).startswith(f"the mail server said {reply[:3]}")
    assert not server.emails


@pytest.mark.parametrize("step", STEPS)
def test_a_5xx_is_permanent_and_reported_without_the_address(step: str) -> None:
    with smtp.server(replies={step: "550 5.1.1 <ada@example.org> is unknown"}) as server:
        error = refusal(server.url)
    assert isinstance(error, PermanentError)
    assert str(error) == "the mail server said 550 5.1.1"


@pytest.mark.parametrize("step", ["CONNECT", "MAIL", "RCPT", "DATA", "BODY", "MESSAGE"])
def test_a_dropped_connection_is_temporary(step: str) -> None:
    with smtp.server(replies={step: smtp.DROP}) as server:
        error = refusal(server.url)
    assert isinstance(error, TemporaryError)
    assert not server.emails


@pytest.mark.parametrize("reply", [smtp.DROP, "421 too slow", "550 no goodbye"])
def test_an_accepted_email_is_sent_whatever_the_reply_to_quit(reply: str) -> None:
    with smtp.server(replies={"QUIT": reply}) as server:
        send(server.url)
    assert len(server.emails) == 1


@pytest.mark.parametrize("step", ["MAIL", "MESSAGE"])
def test_a_server_that_never_answers_is_a_temporary_error(step: str) -> None:
    with smtp.server(replies={step: smtp.SILENCE}) as server, pytest.raises(TemporaryError):
        send(server.url, timeout=0.2)


def test_a_refused_connection_is_a_temporary_error() -> None:
    error = refusal(f"smtp://127.0.0.1:{processes.free_port()}")
    assert isinstance(error, TemporaryError)
    assert str(error) == "no answer from the mail server (ConnectionRefusedError)"


def test_an_envelope_sender_replaces_a_refused_null_sender() -> None:
    with smtp.server(replies={"NULL SENDER": "550 5.1.7 no"}) as server:
        assert isinstance(refusal(server.url), PermanentError)
        send(server.url, sender="bounces@example.org")
    assert len(server.emails) == 1


def test_a_non_ascii_address_is_sent_unchanged() -> None:
    with smtp.server() as server:
        send(server.url, "jörg@xn--bcher-kva.example")
    assert server.emails[0].recipients == ["jörg@xn--bcher-kva.example"]
    assert "To: jörg@xn--bcher-kva.example".encode() in server.emails[0].raw


def test_a_non_ascii_address_for_answers_is_sent_unchanged() -> None:
    email = message()
    email["Reply-To"] = Address("", "jörg", "example.org")
    with smtp.server() as server:
        SmtpTransport(server.url).send(email, "", "help@example.org")
    assert "Reply-To: jörg@example.org".encode() in server.emails[0].raw


def test_a_non_ascii_address_fails_permanently_without_smtputf8() -> None:
    with smtp.server(smtputf8=False) as server:
        error = refusal(server.url, "jörg@xn--bcher-kva.example")
    assert isinstance(error, PermanentError)
    assert "SMTPUTF8" in str(error)
