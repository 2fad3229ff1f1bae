"""A mailbox on a real Dovecot as a queue: no message is lost or processed twice (M11, S2)."""

import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from imaplib import IMAP4
from threading import Event
from uuid import uuid4

import pytest
from imap_tools import BaseMailBox
from sqlalchemy import select

from preference_center.inbound import imap
from preference_center.inbound.imap import ImapFolder
from preference_center.inbound.mail import MailProcessor
from preference_center.store import Database
from preference_center.store.tables import QuarantineRow
from tests.support import dovecot, make, processes
from tests.support.dovecot import Mailbox, Server
from tests.support.smtp import ELSEWHERE
from tests.unit.inbound.test_mail import B, Inbox, U, arf, dsn, mail

NONSENSE = mail("canary: please help me", To="canary@in.example.org")
FOREVER = timedelta(days=36_500)  # the clock of these tests differs from the mail server's


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with dovecot.server() as running:
        yield running


@pytest.fixture
def mailbox(server: Server) -> Mailbox:
    return server.mailbox(uuid4().hex)


@pytest.fixture
def inbox(database: Database) -> Inbox:
    with database.transaction() as session:
        make.topic(session)
        make.topic(session, "offers")
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
    return Inbox(database)


def poll(
    url: str, processor: MailProcessor, retention: timedelta = FOREVER, timeout: float = 10
) -> bool:
    return ImapFolder(url, processor, retention, timeout=timeout).poll(Event())


@pytest.mark.parametrize("header", ["To", "Delivered-To", "X-Original-To"])
def test_a_message_is_processed_and_then_moved(inbox: Inbox, mailbox: Mailbox, header: str) -> None:
    raw = mail(**{header: U})
    mailbox.put(raw)
    assert poll(mailbox.url, inbox.processor)
    assert inbox.opt_outs == ["weekly-news"]
    assert (mailbox.messages(), mailbox.messages("Done")) == ([], [raw])


def test_messages_of_every_kind_are_processed_together(inbox: Inbox, mailbox: Mailbox) -> None:
    for raw in (f"Delivered-To: {B}\r\n".encode() + dsn(), arf(), NONSENSE):
        mailbox.put(raw)
    assert poll(mailbox.url, inbox.processor)
    assert inbox.opt_outs == ["all", "weekly-news"]
    assert inbox.quarantined == 1
    assert (len(mailbox.messages()), len(mailbox.messages("Done"))) == (0, 3)


def test_a_second_poll_changes_nothing(
    inbox: Inbox, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    mailbox.put(mail(To=U))
    assert poll(mailbox.url, inbox.processor)
    assert poll(mailbox.url, inbox.processor)
    assert [each.getMessage() for each in caplog.records] == ["inbound email: unsubscribed"]
    assert len(mailbox.messages("Done")) == 1


def test_messages_stay_while_the_database_is_unavailable(
    inbox: Inbox, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = f"postgresql+psycopg://nobody@127.0.0.1:{processes.free_port()}/nothing"
    url = "sqlite:////nowhere/x.db" if inbox.database.is_sqlite else nowhere
    away = Database(url, (make.SERVER_KEY,))
    mailbox.put(mail(To=U))
    assert not poll(mailbox.url, Inbox(away).processor)
    away.close()
    assert "inbound email deferred: the database cannot be used now" in caplog.text
    assert len(mailbox.messages()) == 1
    assert "\\Seen" not in mailbox.flags()
    assert poll(mailbox.url, inbox.processor)
    assert (inbox.opt_outs, mailbox.messages()) == (["weekly-news"], [])


def test_a_failing_message_stays_and_blocks_no_other(
    inbox: Inbox, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(raw: bytes, _domains: object) -> bool:
        raise RuntimeError(raw)

    mailbox.put(arf())
    mailbox.put(mail(To=U))
    settings = make.settings()
    failing = MailProcessor(inbox.database, settings, lambda: make.NOW, is_signed_by=fail)
    assert not poll(mailbox.url, failing)
    assert (mailbox.messages(), mailbox.messages("Done")) == ([arf()], [mail(To=U)])
    assert "inbound email: RuntimeError" in caplog.text
    assert "loop.example" not in caplog.text


def test_a_stop_request_lets_the_current_message_finish(inbox: Inbox, mailbox: Mailbox) -> None:
    stop = Event()

    def clock() -> datetime:
        stop.set()
        return make.NOW

    mailbox.put(mail(To=U))
    mailbox.put(NONSENSE)
    processor = MailProcessor(inbox.database, make.settings(), clock)
    assert not ImapFolder(mailbox.url, processor, FOREVER).poll(stop)
    assert (mailbox.messages(), mailbox.messages("Done")) == ([NONSENSE], [mail(To=U)])


def test_a_message_deleted_meanwhile_is_skipped(inbox: Inbox, mailbox: Mailbox) -> None:
    def meanwhile(_raw: bytes, _domains: object) -> bool:
        with mailbox.connect() as box:
            box.delete(box.uids()[1])
        return False

    for raw in (arf(), NONSENSE, mail(To=U)):
        mailbox.put(raw)
    processor = MailProcessor(
        inbox.database, make.settings(), lambda: make.NOW, is_signed_by=meanwhile
    )
    assert poll(mailbox.url, processor)
    assert (inbox.opt_outs, inbox.quarantined) == (["weekly-news"], 0)
    assert mailbox.messages("Done") == [arf(), mail(To=U)]


def test_concurrent_polls_process_each_message_once(inbox: Inbox, mailbox: Mailbox) -> None:
    def meanwhile(_raw: bytes, _domains: object) -> bool:
        return not poll(mailbox.url, inbox.processor)

    mailbox.put(arf())
    mailbox.put(mail(To=U))
    processor = MailProcessor(
        inbox.database, make.settings(), lambda: make.NOW, is_signed_by=meanwhile
    )
    poll(mailbox.url, processor)
    assert poll(mailbox.url, processor)
    assert inbox.opt_outs == ["weekly-news"]
    assert mailbox.messages("Done") == [arf(), mail(To=U)]


def test_processed_messages_are_deleted_after_their_retention(
    inbox: Inbox, mailbox: Mailbox
) -> None:
    for days in (16, 15, 13):
        at = make.NOW - timedelta(days=days)
        mailbox.put(mail(f"{days} days ago"), "Done", at)
    mailbox.put(mail(To=U), at=make.NOW)
    assert poll(mailbox.url, inbox.processor, timedelta(days=14))
    assert mailbox.messages("Done") == [mail("13 days ago"), mail(To=U)]


def test_a_waiting_message_is_never_too_old(inbox: Inbox, mailbox: Mailbox) -> None:
    mailbox.put(mail(To=U), at=make.NOW - timedelta(days=400))
    assert poll(mailbox.url, inbox.processor, timedelta(days=14))
    assert inbox.opt_outs == ["weekly-news"]


def test_only_the_beginning_of_a_large_message_is_read(
    inbox: Inbox, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "MAX_MESSAGE_BYTES", 1000)
    raw = NONSENSE + b"x" * 5000 + b"\r\n"
    mailbox.put(raw)
    assert poll(mailbox.url, inbox.processor)
    with inbox.database.reading() as session:
        assert session.scalars(select(QuarantineRow.raw)).all() == [raw[:1000]]
    assert mailbox.messages("Done") == [raw]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("folder", "done"),
    [("Bounces", "Done"), ("Mail/Bounces", "Mail/Done"), ("Rückläufer & mehr", "Done")],
)
def test_done_is_created_beside_the_folder(
    inbox: Inbox, mailbox: Mailbox, folder: str, done: str
) -> None:
    mailbox.put(mail(To=U), folder)
    assert poll(mailbox.url_at("127.0.0.1", folder=folder), inbox.processor)
    assert (mailbox.messages(folder), mailbox.messages(done)) == ([], [mail(To=U)])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_done_is_created_in_the_personal_namespace(inbox: Inbox) -> None:
    with dovecot.server(prefix="INBOX.", separator=".") as server:
        for folder in ("INBOX", "INBOX.Bounces"):
            mailbox = server.mailbox(uuid4().hex)
            mailbox.put(mail(To=U), folder)
            assert poll(mailbox.url_at("127.0.0.1", folder=folder), inbox.processor)
            assert mailbox.messages("INBOX.Done") == [mail(To=U)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_server_without_extensions_is_sufficient(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dovecot.server(password="word") as server:
        mailbox = server.mailbox("reader")
        mailbox.put(mail(To=U))
        with monkeypatch.context() as patch:  # no AUTHENTICATE, no MOVE, no NAMESPACE
            patch.setattr(IMAP4, "capability", lambda _: ("OK", [b"IMAP4rev1"]))
            patch.delattr(BaseMailBox, "login_utf8")
            patch.delattr(IMAP4, "namespace")
            assert poll(mailbox.url, inbox.processor)
        assert (mailbox.messages(), mailbox.messages("Done")) == ([], [mail(To=U)])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_a_mailbox_is_polled_over_tls(
    inbox: Inbox, server: Server, mailbox: Mailbox, scheme: str
) -> None:
    assert poll(mailbox.url_at("127.0.0.1", scheme), inbox.processor)

    def logins() -> list[str]:
        begin = f"Login: user=<{mailbox.user}>"
        return [line for line in server.logged.splitlines() if begin in line]

    processes.wait_for(logins, "the line of the log about the login")  # Another process writes it.
    (login,) = logins()
    assert ", TLS" in login


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_the_certificate_of_a_remote_server_is_verified(
    inbox: Inbox,
    server: Server,
    mailbox: Mailbox,
    scheme: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = mailbox.url_at(ELSEWHERE, scheme)
    assert not poll(url, inbox.processor)
    assert "certificate is not trusted" in caplog.text
    assert mailbox.user not in server.logged
    monkeypatch.setenv("SSL_CERT_FILE", str(server.folder / "certificate"))
    assert poll(url, inbox.processor)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_password_is_never_sent_in_the_clear(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    with dovecot.server(tls="no") as server:
        mailbox = server.mailbox("reader")
        assert not poll(mailbox.url_at(ELSEWHERE), inbox.processor)
        assert "does not offer STARTTLS" in caplog.text
        assert "auth attempts" not in server.logged.replace("no auth attempts", "")
        assert poll(mailbox.url, inbox.processor)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_an_unresponsive_server_times_out(
    inbox: Inbox, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert not poll(f"{scheme}://reader:word@127.0.0.1:{port}", inbox.processor, timeout=0.2)
    assert "no response from the mail server (TimeoutError)" in caplog.text
