"""`serve` and `worker` with a PostgreSQL that does not answer: nothing hangs, nothing is lost."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from preference_center.store.tables import OutboxRow
from tests.support import make, postgres, processes, smtp
from tests.support.web_fixtures import environment
from tests.support.wire import FORM, RFC, Served, assert_unsubscribed, head, length, wire

POSTS = 24  # three times as many as there are threads


@pytest.fixture
def empty_url(own_postgres_url: str) -> str:
    postgres.forget_subscribers(own_postgres_url)
    return own_postgres_url


def post(served: Served) -> int:
    with wire(served.base_url, timeout=60) as connection:
        return connection.request(head(served.path, FORM, length(RFC)), RFC).status


def post_together(served: list[Served]) -> list[int]:
    """Post for each at the same time; return the statuses of the answers."""
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda each=each: statuses.append(post(each))) for each in served
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def test_a_server_with_a_silent_database_answers_and_recovers(empty_url: str) -> None:
    with processes.serving(environment(empty_url)) as base_url:
        served = [Served(base_url, empty_url) for _ in range(POSTS)]
        assert_all(post_together(served), 200)
        with postgres.stopped(empty_url):
            waiting = threading.Thread(target=post_together, args=(served,))
            waiting.start()
            assert status(base_url, "/healthz") == 200
            waiting.join()
            assert_all(post_together(served), 503)
            assert [status(base_url, f"/{name}") for name in ("healthz", "readyz")] == [200, 503]
            assert status(base_url, served[0].path) == 503
        processes.wait_for(lambda: status(base_url, "/readyz") == 200, "the database", seconds=5)
        newcomer = Served(base_url, empty_url)
        with wire(base_url) as connection:
            assert_unsubscribed(connection.request(head(newcomer.path, FORM, length(RFC)), RFC))
        assert newcomer.unsubscribe_count() == 1
        # Each process notices with a request of its own that the database is back.
        processes.wait_for(lambda: set(post_together(served)) == {200}, "all processes")


def assert_all(statuses: list[int], expected: int) -> None:
    assert statuses == [expected] * POSTS


def status(base_url: str, path: str) -> int:
    with wire(base_url, timeout=60) as connection:
        return connection.request(head(path, method=b"GET")).status


def test_a_worker_with_a_silent_database_continues_when_it_returns(empty_url: str) -> None:
    database = make.database(empty_url)
    with smtp.server() as mail_server:
        settings = make.environment(
            DATABASE_URL=empty_url, SMTP_URL=mail_server.url, MAIL_FROM="letters@example.org"
        )
        with processes.working(settings) as worker:
            processes.wait_for(lambda: "Sending through" in worker.output, "a worker")
            with postgres.stopped(empty_url):
                processes.wait_for(lambda: "waiting: the database" in worker.output, "a warning")
            with database.transaction() as session:
                make.subscriber(session)
                make.unsubscribe(session, at=datetime.now(UTC), notice_delay=timedelta(0))
            processes.wait_for(lambda: mail_server.emails, "the confirmation")
            assert worker.stop() == 0
    with database.reading() as session:
        assert list(session.scalars(select(OutboxRow.state))) == ["sent"]
        assert session.scalar(text("SELECT count(*) FROM subscribers")) == 1
    database.close()
