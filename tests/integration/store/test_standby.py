"""PostgreSQL with a synchronous standby: a failover loses no acknowledged unsubscribe."""

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from preference_center.store import Database, SilentError, UnavailableError
from tests.support import make, one_clicks, pgbouncer, postgres, processes, smtp, standby

PEOPLE = b"email\nada@example.org\nbob@example.org\n"


@pytest.fixture
def pair() -> Iterator[standby.Pair]:
    """Yield two servers with the tables and the topic of this version."""
    with standby.pair() as pair:
        assert_done(pair, "upgrade")
        assert_done(pair, "topics", "add", "weekly-news", "--name", "Weekly news")
        yield pair


def environment(pair: standby.Pair, **settings: str) -> dict[str, str]:
    return make.environment(DATABASE_URL=pair.url, **settings)


def assert_done(pair: standby.Pair, *arguments: str, stdin: bytes = b"") -> None:
    result = processes.run(environment(pair), *arguments, stdin=stdin)
    assert result.returncode == 0, result.stderr.decode()


def count(url: str, condition: str) -> int:
    (row,) = postgres.query(url, f"SELECT count(*) FROM {condition}")
    return int(row[0])


def sent(server: postgres.Instance) -> int:
    return count(server.url, "outbox WHERE state = 'sent'")


def test_a_failover_under_load_loses_no_acknowledged_unsubscribe(pair: standby.Pair) -> None:
    with (
        processes.serving(environment(pair)) as base_url,
        one_clicks.posted_to(base_url) as running,
    ):
        running.wait_for(200, 100)
        pair.primary.kill()
        running.wait_for(503, 5)
        pair.promote()
        running.wait_for(200, 100)
    assert set(running.statuses()) == {200, 503}
    running.assert_recorded(pair.standby.url)
    assert_done(pair, "verify-ledger")


def test_workers_and_imports_continue_on_the_standby(pair: standby.Pair) -> None:
    imports = ("import", "-", "--topic", "weekly-news", "--status")
    with smtp.server() as mail_server:
        settings = environment(pair, SMTP_URL=mail_server.url, MAIL_FROM="letters@example.org")
        settings["PREFERENCE_CENTER_CONFIRMATION_DELAY_SECONDS"] = "0"
        with processes.working(settings) as worker, processes.serving(settings) as base_url:
            assert_done(pair, *imports, "subscribed", stdin=PEOPLE)
            one_clicks.post_for(base_url, "ada@example.org")
            processes.wait_for(lambda: sent(pair.primary) == 1, "the first confirmation")
            pair.primary.kill()
            processes.wait_for(lambda: "waiting: the database" in worker.output, "a warning")
            pair.promote()
            one_clicks.post_for(base_url, "bob@example.org")
            processes.wait_for(lambda: sent(pair.standby) == 2, "the second confirmation")
            assert_done(pair, *imports, "unsubscribed", stdin=b"email\neve@example.org\n")
            assert worker.stop() == 0
    assert len(mail_server.emails) == 2
    assert count(pair.standby.url, "subscriptions WHERE status = 'unsubscribed'") == 3


def test_a_pooler_forwards_to_the_new_primary(pair: standby.Pair) -> None:
    with pgbouncer.in_front_of(pair.primary.url) as pooler:
        settings = make.environment(DATABASE_URL=pooler.url)
        with processes.serving(settings) as base_url, one_clicks.posted_to(base_url) as running:
            running.wait_for(200, 50)
            pair.primary.kill()
            running.wait_for(503, 5)
            pair.promote()
            pooler.forward_to(pair.standby.url)
            running.wait_for(200, 50)
    assert set(running.statuses()) == {200, 503}
    running.assert_recorded(pair.standby.url)


def test_only_the_primary_is_used(pair: standby.Pair) -> None:
    before, after = pair.standby.address, pair.primary.address
    hosts = f"host={before}&host={after}&target_session_attrs=read-write"
    database = make.database(f"postgresql+psycopg://postgres@/postgres?{hosts}")
    with database.transaction() as session:
        make.subscriber(session)
    database.close()
    assert count(pair.primary.url, "subscribers") == 1


def test_the_server_notices_that_the_host_of_a_client_is_gone(pair: standby.Pair) -> None:
    database = make.database(pair.primary.url, long_statements=True)
    with database.reading() as session:
        idle = session.scalar(text("SHOW tcp_keepalives_idle"))
        unacknowledged = session.scalar(text("SHOW tcp_user_timeout"))
    database.close()
    assert (idle, unacknowledged) == ("10", "30000")


def test_without_a_primary_the_database_is_unavailable(pair: standby.Pair) -> None:
    pair.primary.kill()
    database = make.database(pair.url)
    with pytest.raises(UnavailableError), database.reading():
        pass
    database.close()


def test_a_host_that_never_answers_counts_even_if_another_one_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_host = f"host=127.0.0.1:{silent.getsockname()[1]}"
        refusing_host = f"host=127.0.0.1:{processes.free_port()}"
        hosts = f"{silent_host}&{refusing_host}&target_session_attrs=read-write"
        database = Database(f"postgresql+psycopg://postgres@/postgres?{hosts}")
        with pytest.raises(SilentError), database.reading():
            pass
        database.close()
