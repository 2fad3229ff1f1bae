"""A mailbox of a real Dovecot as a queue: nothing is lost, and nothing is done twice (M11, S2)."""

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
FAR = timedelta(days=36_500)  # the clock of these tests is not that of the mail server


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
        make.reader(session, "ada@example.org", "weekly-news", "offers")
    return Inbox(database)


def look(url: str, receiver: MailProcessor, keep: timedelta = FAR, timeout: float = 10) -> bool:
    return ImapFolder(url, receiver, keep, timeout=timeout).poll(Event())


@pytest.mark.parametrize("header", ["To", "Delivered-To", "X-Original-To"])
def test_what_a_message_says_is_done_and_then_it_is_moved(
    inbox: Inbox, mailbox: Mailbox, header: str
) -> None:
    raw = mail(**{header: U})
    mailbox.put(raw)
    assert look(mailbox.url, inbox.receiver)
    assert inbox.stops == ["weekly-news"]
    assert (mailbox.messages(), mailbox.messages("Done")) == ([], [raw])


def test_every_kind_of_mail_may_come_together(inbox: Inbox, mailbox: Mailbox) -> None:
    for raw in (f"Delivered-To: {B}\r\n".encode() + dsn(), arf(), NONSENSE):
        mailbox.put(raw)
    assert look(mailbox.url, inbox.receiver)
    assert inbox.stops == ["all", "weekly-news"]
    assert inbox.kept == 1
    assert (len(mailbox.messages()), len(mailbox.messages("Done"))) == (0, 3)


def test_a_second_look_does_nothing_again(
    inbox: Inbox, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    mailbox.put(mail(To=U))
    assert look(mailbox.url, inbox.receiver)
    assert look(mailbox.url, inbox.receiver)
    assert [each.getMessage() for each in caplog.records] == ["inbound email: unsubscribed"]
    assert len(mailbox.messages("Done")) == 1


def test_while_the_database_is_away_messages_stay(
    inbox: Inbox, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = f"postgresql+psycopg://nobody@127.0.0.1:{processes.free_port()}/nothing"
    url = "sqlite:////nowhere/x.db" if inbox.database.is_sqlite else nowhere
    away = Database(url, (make.SERVER_KEY,))
    mailbox.put(mail(To=U))
    assert not look(mailbox.url, Inbox(away).receiver)
    away.close()
    assert "inbound email deferred: the database cannot be used now" in caplog.text
    assert len(mailbox.messages()) == 1
    assert "\\Seen" not in mailbox.flags()
    assert look(mailbox.url, inbox.receiver)
    assert (inbox.stops, mailbox.messages()) == (["weekly-news"], [])


def test_a_message_that_fails_stays_and_stops_no_other(
    inbox: Inbox, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(raw: bytes, _domains: object) -> bool:
        raise RuntimeError(raw)

    mailbox.put(arf())
    mailbox.put(mail(To=U))
    known = make.settings()
    failing = MailProcessor(inbox.database, known, lambda: make.NOW, is_signed_by=fail)
    assert not look(mailbox.url, failing)
    assert (mailbox.messages(), mailbox.messages("Done")) == ([arf()], [mail(To=U)])
    assert "inbound email: RuntimeError" in caplog.text
    assert "loop.example" not in caplog.text


def test_asked_to_stop_it_finishes_the_message_in_hand(inbox: Inbox, mailbox: Mailbox) -> None:
    stop = Event()

    def clock() -> datetime:
        stop.set()
        return make.NOW

    mailbox.put(mail(To=U))
    mailbox.put(NONSENSE)
    receiver = MailProcessor(inbox.database, make.settings(), clock)
    assert not ImapFolder(mailbox.url, receiver, FAR).poll(stop)
    assert (mailbox.messages(), mailbox.messages("Done")) == ([NONSENSE], [mail(To=U)])


def test_a_message_that_is_gone_meanwhile_is_no_trouble(inbox: Inbox, mailbox: Mailbox) -> None:
    def meanwhile(_raw: bytes, _domains: object) -> bool:
        with mailbox.opened() as box:
            box.delete(box.uids()[1])
        return False

    for raw in (arf(), NONSENSE, mail(To=U)):
        mailbox.put(raw)
    receiver = MailProcessor(
        inbox.database, make.settings(), lambda: make.NOW, is_signed_by=meanwhile
    )
    assert look(mailbox.url, receiver)
    assert (inbox.stops, inbox.kept) == (["weekly-news"], 0)
    assert mailbox.messages("Done") == [arf(), mail(To=U)]


def test_two_that_look_at_once_lose_nothing_and_do_nothing_twice(
    inbox: Inbox, mailbox: Mailbox
) -> None:
    def meanwhile(_raw: bytes, _domains: object) -> bool:
        return not look(mailbox.url, inbox.receiver)

    mailbox.put(arf())
    mailbox.put(mail(To=U))
    receiver = MailProcessor(
        inbox.database, make.settings(), lambda: make.NOW, is_signed_by=meanwhile
    )
    look(mailbox.url, receiver)
    assert look(mailbox.url, receiver)
    assert inbox.stops == ["weekly-news"]
    assert mailbox.messages("Done") == [arf(), mail(To=U)]


def test_what_was_done_with_is_forgotten_in_time(inbox: Inbox, mailbox: Mailbox) -> None:
    for days in (16, 15, 13):
        at = make.NOW - timedelta(days=days)
        mailbox.put(mail(f"{days} days ago"), "Done", at)
    mailbox.put(mail(To=U), at=make.NOW)
    assert look(mailbox.url, inbox.receiver, timedelta(days=14))
    assert mailbox.messages("Done") == [mail("13 days ago"), mail(To=U)]


def test_a_message_that_waits_is_never_too_old(inbox: Inbox, mailbox: Mailbox) -> None:
    mailbox.put(mail(To=U), at=make.NOW - timedelta(days=400))
    assert look(mailbox.url, inbox.receiver, timedelta(days=14))
    assert inbox.stops == ["weekly-news"]


def test_of_a_message_that_is_too_large_the_beginning_is_read(
    inbox: Inbox, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap, "MAX_MESSAGE_BYTES", 1000)
    raw = NONSENSE + b"x" * 5000 + b"\r\n"
    mailbox.put(raw)
    assert look(mailbox.url, inbox.receiver)
    with inbox.database.reading() as session:
        assert session.scalars(select(QuarantineRow.raw)).all() == [raw[:1000]]
    assert mailbox.messages("Done") == [raw]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("folder", "done"),
    [("Bounces", "Done"), ("Mail/Bounces", "Mail/Done"), ("Rückläufer & mehr", "Done")],
)
def test_done_stands_beside_the_folder(
    inbox: Inbox, mailbox: Mailbox, folder: str, done: str
) -> None:
    mailbox.put(mail(To=U), folder)
    assert look(mailbox.url_at("127.0.0.1", folder=folder), inbox.receiver)
    assert (mailbox.messages(folder), mailbox.messages(done)) == ([], [mail(To=U)])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_done_stands_where_the_server_has_ones_own_folders(inbox: Inbox) -> None:
    with dovecot.server(prefix="INBOX.", separator=".") as server:
        for folder in ("INBOX", "INBOX.Bounces"):
            mailbox = server.mailbox(uuid4().hex)
            mailbox.put(mail(To=U), folder)
            assert look(mailbox.url_at("127.0.0.1", folder=folder), inbox.receiver)
            assert mailbox.messages("INBOX.Done") == [mail(To=U)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_server_that_can_do_little_is_enough(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dovecot.server(password="word") as server:
        mailbox = server.mailbox("reader")
        mailbox.put(mail(To=U))
        with monkeypatch.context() as patch:  # no AUTHENTICATE, no MOVE, no NAMESPACE
            patch.setattr(IMAP4, "capability", lambda _: ("OK", [b"IMAP4rev1"]))
            patch.delattr(BaseMailBox, "login_utf8")
            patch.delattr(IMAP4, "namespace")
            assert look(mailbox.url, inbox.receiver)
        assert (mailbox.messages(), mailbox.messages("Done")) == ([], [mail(To=U)])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_a_mailbox_is_asked_over_tls(
    inbox: Inbox, server: Server, mailbox: Mailbox, scheme: str
) -> None:
    assert look(mailbox.url_at("127.0.0.1", scheme), inbox.receiver)
    (login,) = [
        line for line in server.logged.splitlines() if f"Login: user=<{mailbox.user}>" in line
    ]
    assert ", TLS" in login


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_the_certificate_of_another_machine_is_verified(
    inbox: Inbox,
    server: Server,
    mailbox: Mailbox,
    scheme: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = mailbox.url_at(ELSEWHERE, scheme)
    assert not look(url, inbox.receiver)
    assert "certificate is not trusted" in caplog.text
    assert mailbox.user not in server.logged
    monkeypatch.setenv("SSL_CERT_FILE", str(server.folder / "certificate"))
    assert look(url, inbox.receiver)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_password_is_never_sent_in_the_clear(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    with dovecot.server(tls="no") as server:
        mailbox = server.mailbox("reader")
        assert not look(mailbox.url_at(ELSEWHERE), inbox.receiver)
        assert "does not offer STARTTLS" in caplog.text
        assert "auth attempts" not in server.logged.replace("no auth attempts", "")
        assert look(mailbox.url, inbox.receiver)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_a_server_that_never_answers_is_given_up(
    inbox: Inbox, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert not look(f"{scheme}://reader:word@127.0.0.1:{port}", inbox.receiver, timeout=0.2)
    assert "no response from the mail server (TimeoutError)" in caplog.text
