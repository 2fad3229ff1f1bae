"""When change notices are sent, how they are retried, and what happens if a worker is killed."""

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select

from preference_center.core import erasure, leases, outbox, subscribers
from preference_center.core.change import ChangeResult
from preference_center.core.vocab import OutboxKind, Scope, Source
from preference_center.outbound.transport import PermanentError, TemporaryError
from preference_center.store import Database, UnavailableError
from preference_center.store.tables import OutboxRow
from tests.support import make, processes, smtp
from tests.support.mailer import Mailer

ADA = "ada@example.org"
DELAY = timedelta(minutes=2)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def mailer(database: Database) -> Mailer:
    return Mailer(database)


def unsubscribe(
    database: Database, after: timedelta = timedelta(0), slug: str | None = "weekly-news"
) -> ChangeResult:
    """Unsubscribe ada on the page at `NOW + after`."""
    with database.transaction() as session:
        if subscribers.find(session, make.id_of()) is None:
            make.subscriber(session, "ada@example.org", "weekly-news", "product-news")
        return make.unsubscribe(session, slug=slug, at=make.NOW + after, notice_delay=DELAY)


def undo(database: Database, result: ChangeResult, after: timedelta) -> None:
    with database.transaction() as session:
        at = make.NOW + after
        make.undo(session, result.first_seq, result.last_seq, at=at, notice_delay=DELAY)


def outbox_rows(database: Database) -> list[tuple[str, str | None]]:
    with database.reading() as session:
        rows = session.scalars(select(OutboxRow).order_by(OutboxRow.first_seq))
        return [(row.state, row.failure) for row in rows]


LEFT = "You’re unsubscribed from Weekly news"


def test_a_change_notice_is_sent_once_after_the_delay(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    assert mailer.send_due(DELAY - SECOND) == []
    assert mailer.send_due(DELAY) == [LEFT]
    assert mailer.send_due(timedelta(days=2)) == [LEFT]
    assert outbox_rows(mailer.database) == [("sent", None)]


def test_a_notice_goes_to_the_stored_address_with_an_undo_link(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    mailer.send_due(DELAY)
    assert mailer.sent[0]["To"] == "ada@example.org"
    assert "https://mail.example.org/r/1." in mailer.sent[0].as_string()
    assert "/undo" in mailer.sent[0].as_string()


def test_an_unsubscribe_undone_within_the_delay_sends_nothing(mailer: Mailer) -> None:
    result = unsubscribe(mailer.database)
    undo(mailer.database, result, MINUTE)
    assert mailer.send_due(timedelta(hours=1)) == []
    assert mailer.tries == 0
    assert outbox_rows(mailer.database) == [("dropped", None)]


def test_several_changes_send_one_email(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    unsubscribe(mailer.database, MINUTE, slug="product-news")
    assert mailer.send_due(MINUTE + DELAY - SECOND) == []
    assert mailer.send_due(MINUTE + DELAY) == ["Your email preferences have changed"]


def test_changes_postpone_a_notice_by_ten_minutes_at_most(mailer: Mailer) -> None:
    for minute in range(10):
        result = unsubscribe(mailer.database, minute * MINUTE)
        if minute % 2:
            undo(mailer.database, result, minute * MINUTE + SECOND)
    unsubscribe(mailer.database, 9 * MINUTE + 30 * SECOND)
    assert mailer.send_due(10 * MINUTE - SECOND) == []
    assert mailer.send_due(10 * MINUTE) == [LEFT]


@pytest.mark.parametrize("source", ["complaint", "bounce", "import", "api", "console", "cli"])
def test_a_change_by_others_sends_no_notice(mailer: Mailer, source: Any) -> None:
    with mailer.database.transaction() as session:
        make.subscriber(session)
        wait = make.settings().notice_delay(source)
        make.unsubscribe(session, source=source, notice_delay=wait)
    assert wait is None
    assert outbox_rows(mailer.database) == []


def test_a_topic_can_be_set_to_send_no_notices(mailer: Mailer) -> None:
    with mailer.database.transaction() as session:
        make.topic(session, "weekly-news", change_notices=False)
        make.subscriber(session)
        make.unsubscribe(session, notice_delay=DELAY)
    assert outbox_rows(mailer.database) == []


def test_notices_can_be_switched_off_by_source() -> None:
    settings = make.settings(confirmations=frozenset({"page"}))
    assert settings.notice_delay(Source.PAGE) == DELAY
    assert settings.notice_delay(Source.ONE_CLICK) is None
    assert make.settings(smtp_url=None).notice_delay(Source.PAGE) is None


def test_a_subscriber_without_an_address_is_sent_nothing(mailer: Mailer) -> None:
    with mailer.database.transaction() as session:
        make.unsubscribe(session, notice_delay=DELAY)
    assert outbox_rows(mailer.database) == []


def test_a_subscriber_erased_since_is_sent_nothing(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    with mailer.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    assert mailer.send_due(timedelta(hours=1)) == []
    assert outbox_rows(mailer.database) == []


def test_a_subscriber_erased_between_retries_is_sent_nothing(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    mailer.refusal = TemporaryError("the mail server said 451")
    mailer.send_due(DELAY)
    with mailer.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW + DELAY)
    mailer.refusal = None
    assert mailer.send_due(timedelta(hours=1)) == []


def test_a_bounced_address_is_sent_no_notice(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    with mailer.database.transaction() as session:
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce")
    assert mailer.send_due(DELAY) == []
    assert outbox_rows(mailer.database) == [("dropped", None)]


def test_a_temporary_failure_is_retried_on_schedule_then_given_up(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    mailer.refusal = TemporaryError("the mail server said 451")
    at = DELAY
    mailer.send_due(at)
    for tries, wait in enumerate(leases.RETRY_AFTER, 1):
        mailer.send_due(at + wait - SECOND)
        assert mailer.tries == tries
        at += wait
        mailer.send_due(at)
    assert [wait.total_seconds() for wait in leases.RETRY_AFTER] == [30, 120, 600, 3600, 21600]
    assert outbox_rows(mailer.database) == [("failed", "the mail server said 451")]


def test_a_retried_email_keeps_its_message_id(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    with mailer.database.reading() as session:
        wanted = session.scalars(select(OutboxRow.message_id)).one()
    mailer.refusal = TemporaryError("no answer")
    mailer.send_due(DELAY)
    mailer.refusal = None
    mailer.send_due(DELAY + 30 * SECOND)
    assert mailer.sent[0]["Message-ID"] == f"<{wanted}@example.org>"


def test_a_5xx_is_given_up_at_once_and_recorded(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    mailer.refusal = PermanentError("the mail server said 550 5.1.1")
    mailer.send_due(DELAY)
    mailer.send_due(timedelta(hours=1))
    assert mailer.tries == 1
    assert outbox_rows(mailer.database) == [("failed", "the mail server said 550 5.1.1")]


def test_an_email_unsent_after_a_day_is_dropped(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    assert mailer.send_due(timedelta(hours=24, seconds=1)) == []
    assert mailer.tries == 0
    assert outbox_rows(mailer.database) == [("dropped", None)]


def test_a_notice_of_an_undone_change_is_not_sent(mailer: Mailer) -> None:
    result = unsubscribe(mailer.database)
    mailer.refusal = TemporaryError("the mail server said 451")
    mailer.send_due(DELAY)
    undo(mailer.database, result, DELAY + SECOND)
    mailer.refusal = None
    assert mailer.send_due(timedelta(hours=1)) == ["You’ll get Weekly news as before"]
    assert outbox_rows(mailer.database) == [("dropped", None), ("sent", None)]


def test_an_email_that_fails_does_not_block_others(
    mailer: Mailer, caplog: pytest.LogCaptureFixture
) -> None:
    unsubscribe(mailer.database)
    with mailer.database.transaction() as session:
        make.subscriber(session, "ben@example.org")
        make.unsubscribe(session, "ben@example.org", at=make.NOW + SECOND, notice_delay=DELAY)
    failures = iter([ValueError("ada@example.org has no mailbox")])
    mailer.on_send = lambda: _raise(next(failures, None))
    assert mailer.send_due(DELAY + SECOND) == [LEFT]
    assert mailer.sent[0]["To"] == "ben@example.org"
    assert "ValueError" in caplog.text
    assert "ada@example.org" not in caplog.text
    assert mailer.send_due(DELAY + 31 * SECOND) == [LEFT, LEFT]


def test_a_worker_waits_for_an_unavailable_database(
    mailer: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, asked = Event(), []

    def lease(*_: Any) -> None:
        asked.append(1)
        if len(asked) == 1:
            raise UnavailableError("the database cannot be used now")
        stop.set()

    monkeypatch.setattr("preference_center.outbound.worker._POLL_SECONDS", 0)
    monkeypatch.setattr(leases, "lease", lease)
    mailer.worker().run(stop)
    assert len(asked) == 2


def test_a_notice_is_in_the_subscribers_language(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    with mailer.database.transaction() as session:
        make.set_details(session, locale="ar-XB")
    mailer.send_due(DELAY, languages=("en", "ar-XB"))
    assert mailer.sent[0]["Content-Language"] == "ar-XB"


LINK = "Your link to manage Northwind Letters emails"
JOIN = "Please confirm: would you like Product news?"


def ask(database: Database, kind: OutboxKind, topic: str = "", email: str = ADA) -> None:
    """Request an email, for ada as a subscriber of one topic by default."""
    with database.transaction() as session:
        if subscribers.find(session, make.id_of()) is None:
            make.subscriber(session)
            make.topic(session, "product-news")
        outbox.request(session, [(make.id_of(email), kind, topic)], make.NOW)


def test_a_requested_email_is_sent_at_once_and_once(mailer: Mailer) -> None:
    ask(mailer.database, OutboxKind.LINK)
    ask(mailer.database, OutboxKind.OPT_IN_REQUEST, "product-news")
    assert sorted(mailer.send_due(timedelta(0))) == [JOIN, LINK]
    assert len(mailer.send_due(timedelta(days=2))) == 2
    assert mailer.sent[0]["To"] == mailer.sent[1]["To"] == ADA


def test_a_requested_email_is_independent_of_change_notices(mailer: Mailer) -> None:
    ask(mailer.database, OutboxKind.LINK)
    unsubscribe(mailer.database)
    assert mailer.send_due(timedelta(0)) == [LINK]
    assert mailer.send_due(DELAY) == [LINK, LEFT]


def test_requests_for_unusable_addresses_are_dropped(mailer: Mailer) -> None:
    with mailer.database.transaction() as session:
        make.unsubscribe(session, "noted@example.org")
        make.subscriber(session, "bounced@example.org")
        make.unsubscribe(
            session, "bounced@example.org", slug=None, scope=Scope.ADDRESS, source="import"
        )
        make.subscriber(session, "erased@example.org")
        erasure.erase(session, [make.id_of("erased@example.org")], Source.CLI, make.NOW)
    for name in ("noted", "bounced", "erased", "unknown"):
        ask(mailer.database, OutboxKind.LINK, email=f"{name}@example.org")
        ask(mailer.database, OutboxKind.OPT_IN_REQUEST, "product-news", f"{name}@example.org")
    assert mailer.send_due(timedelta(0)) == []
    assert mailer.tries == 0
    assert outbox_rows(mailer.database) == [("dropped", None)] * 8


def test_a_subscriber_erased_since_gets_no_requested_email(mailer: Mailer) -> None:
    ask(mailer.database, OutboxKind.LINK)
    with mailer.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    assert mailer.send_due(timedelta(0)) == []


def test_a_requested_email_is_sent_after_unsubscribing_from_all(mailer: Mailer) -> None:
    unsubscribe(mailer.database, slug=None)
    ask(mailer.database, OutboxKind.LINK)
    assert mailer.send_due(timedelta(0)) == [LINK]


def test_a_requested_email_is_retried_and_dropped_after_a_day(mailer: Mailer) -> None:
    ask(mailer.database, OutboxKind.LINK)
    mailer.refusal = TemporaryError("the mail server said 451")
    assert mailer.send_due(timedelta(0)) == []
    mailer.refusal = None
    assert mailer.send_due(30 * SECOND) == [LINK]
    ask(mailer.database, OutboxKind.LINK)
    assert mailer.send_due(timedelta(hours=24, seconds=1)) == [LINK]
    assert outbox_rows(mailer.database) == [("sent", None), ("dropped", None)]


def test_no_second_worker_leases_an_email_that_is_being_sent(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    other = Mailer(mailer.database, now=make.NOW + DELAY)
    mailer.on_send = lambda: assert_idle(other)
    assert mailer.send_due(DELAY) == [LEFT]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_email_leased_by_another_worker_is_skipped(database: Database) -> None:
    queue_due(database, 2)
    now = datetime.now(UTC)
    with database.transaction() as one, database.transaction() as two:
        leased = [leases.lease(one, now), leases.lease(two, now)]
        assert len({row.id for row in leased if row is not None}) == 2
        assert leases.lease(two, now) is None


def test_a_worker_with_an_expired_lease_settles_nothing(mailer: Mailer) -> None:
    unsubscribe(mailer.database)
    other = Mailer(mailer.database, refusal=PermanentError("the mail server said 550"))
    expired = DELAY + leases.LEASE_DURATION
    mailer.on_send = lambda: _ignore(other.send_due(expired))
    mailer.send_due(DELAY)
    assert outbox_rows(mailer.database) == [("failed", "the mail server said 550")]


@pytest.mark.integration
def test_a_worker_killed_before_settling_loses_no_email(
    database: Database, database_url: str
) -> None:
    running: list[processes.Running] = []
    with smtp.server(on_email=lambda _: running[0].kill()) as server:
        queue_due(database, 1)
        environ = smtp_environment(database_url, server)
        with processes.working(environ) as worker:
            running.append(worker)
            processes.wait_for(lambda: worker.process.poll() is not None, "the worker lives")
        first = server.emails[0].message["Message-ID"]
        mailer, expired = Mailer(database), datetime.now(UTC) - make.NOW + leases.LEASE_DURATION
        assert mailer.send_due(expired - MINUTE) == []
        assert mailer.send_due(expired) == [LEFT]
    assert [message["Message-ID"] for message in mailer.sent] == [first]
    assert outbox_rows(database) == [("sent", None)]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_workers_at_once_send_each_email_once(database: Database, database_url: str) -> None:
    queue_due(database, 24)
    with smtp.server() as server:
        environ = smtp_environment(database_url, server)
        with processes.working(environ) as one, processes.working(environ) as two:
            processes.wait_for(lambda: _settled(database) == 24, "not all was sent")
            assert (one.stop(), two.stop()) == (0, 0)
    recipients = [each.recipients[0] for each in server.emails]
    assert sorted(recipients) == sorted({f"reader{n}@example.org" for n in range(24)})


def queue_due(database: Database, count: int) -> None:
    """Unsubscribe `count` subscribers, each with a notice that is due by the real clock."""
    emails = [f"reader{n}@example.org" for n in range(count)] if count > 1 else ["ada@example.org"]
    with database.transaction() as session:
        for email in emails:
            make.subscriber(session, email)
            make.unsubscribe(session, email, at=datetime.now(UTC), notice_delay=timedelta(0))


def smtp_environment(database_url: str, server: smtp.Server) -> dict[str, str]:
    return make.environment(
        DATABASE_URL=database_url, SMTP_URL=server.url, MAIL_FROM="letters@example.org"
    )


def assert_idle(mailer: Mailer) -> None:
    assert not mailer.worker().send_one()


def _settled(database: Database) -> int:
    return sum(state == "sent" for state, _ in outbox_rows(database))


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


def _ignore(_: object) -> None:
    pass
