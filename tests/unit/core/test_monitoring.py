"""The figures of the database that the metrics show."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from preference_center.core import erasure, monitoring, processes, unacknowledged, webhooks
from preference_center.core.monitoring import Figures
from preference_center.core.processes import Process, Waiting
from preference_center.core.vocab import OutboxState, Source
from preference_center.store import Database
from preference_center.store.tables import OutboxRow, ServingProcess
from preference_center.util.clock import utc_now
from tests.support import make

DELAY = timedelta(minutes=2)
NONE = timedelta(0)


@pytest.fixture(autouse=True)
def two_emails(database: Database) -> None:
    with database.transaction() as session:
        for email in ("ada@example.org", "ben@example.org"):
            make.subscriber(session, email)
            make.unsubscribe(session, email, notice_delay=DELAY)


def read(database: Database, at: datetime = make.NOW) -> Figures:
    with database.reading() as session:
        return monitoring.read(session, at)


def settle(database: Database, **values: object) -> None:
    with database.transaction() as session:
        of_one = OutboxRow.subscriber_id == make.id_of()
        session.execute(update(OutboxRow).where(of_one).values(values))


def test_emails_are_pending_and_then_overdue(database: Database) -> None:
    found = read(database)
    assert (found.outbox_pending, found.outbox_overdue) == (2, NONE)
    assert read(database, make.NOW + 3 * DELAY).outbox_overdue == 2 * DELAY


def test_emails_are_due_since_the_first(database: Database) -> None:
    settle(database, due_at=make.NOW)
    with database.reading() as session:
        found = [
            monitoring.emails_due(session, make.NOW + seconds * timedelta(seconds=1))
            for seconds in (-1, 0, 120)
        ]
    assert found == [(0, None), (1, make.NOW), (2, make.NOW)]


def test_failed_emails_count_for_a_day(database: Database) -> None:
    settle(database, state=OutboxState.FAILED, settled_at=make.NOW)
    assert (read(database).outbox_pending, read(database).outbox_failed) == (1, 1)
    assert read(database, make.NOW + timedelta(hours=25)).outbox_failed == 0


def test_sent_emails_do_not_count(database: Database) -> None:
    settle(database, state=OutboxState.SENT, settled_at=make.NOW)
    assert (read(database).outbox_pending, read(database).outbox_failed) == (1, 0)


def test_no_more_emails_are_counted_than_the_limit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring, "MAX_COUNTED", 1)
    assert read(database).outbox_pending == 1


def test_the_process_that_reported_first_counts(database: Database) -> None:
    assert (read(database).processes, read(database).oldest_report) == (0, NONE)
    with database.transaction() as session:
        for host in ("a", "b"):
            processes.report(session, Process(uuid4(), host, 1), lambda: Waiting(0))
        late = update(ServingProcess).where(ServingProcess.host == "a")
        session.execute(late.values(reported_at=utc_now() - timedelta(hours=1)))
    found = read(database)
    assert found.processes == 2
    assert found.oldest_report > timedelta(minutes=59)


def test_the_oldest_unsubscribe_has_an_age(database: Database) -> None:
    assert read(database, make.NOW + timedelta(hours=30)).oldest_unfetched == timedelta(hours=30)


def test_erasures_that_wait_are_counted(database: Database) -> None:
    with database.transaction() as session:
        webhooks.add(session, "https://hooks.example.org/", [], make.NOW)
        for number in range(3):
            person, at = make.id_of(f"{number}@example.org"), make.NOW + number * DELAY
            erasure.erase(session, [person], Source.CLI, at)
    now = make.NOW + unacknowledged.HELD_FOR
    found = read(database, now)
    assert (found.erasures_waiting, found.oldest_erasure) == (3, unacknowledged.HELD_FOR)
    with database.transaction() as session:
        over = [each for each in unacknowledged.waiting(session, now) if each.is_over(now)]
        unacknowledged.settle(session, over, now)
    found = read(database, now)
    assert (found.erasures_waiting, found.oldest_erasure) == (2, now - make.NOW - DELAY)
