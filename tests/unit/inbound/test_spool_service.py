"""The spool of a serving process: when it takes unsubscribes, and how they reach the database."""

import logging
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from preference_center.core import processes
from preference_center.inbound import spool_folder, spool_service
from preference_center.inbound.spool_file import SpoolError
from preference_center.inbound.spool_service import SpoolService
from preference_center.store import Database, KeyCheckError
from preference_center.store.tables import LedgerRow, ServingProcess, SubscriptionRow
from tests.support import make
from tests.support.outage import down
from tests.support.processes import wait_for

LATER = make.NOW + timedelta(minutes=10)
Create = Callable[[], SpoolService]


@pytest.fixture
def create(database: Database, tmp_path: Path) -> Iterator[Create]:
    """Yield a factory of services that share a folder and a database."""
    made: list[SpoolService] = []

    def one() -> SpoolService:
        made.append(SpoolService(database, tmp_path, lambda: LATER))
        return made[-1]

    (tmp_path / "test.db").touch()
    yield one
    for each in made:
        each.stop()


def kill(service: SpoolService) -> None:
    """Leave a service as SIGKILL does: its lock is free, its file and its registration remain."""
    service._own.release()


def registered(database: Database) -> list[ServingProcess]:
    with database.reading() as session:
        return list(processes.list_all(session))


def ledger(database: Database) -> list[LedgerRow]:
    with database.reading() as session:
        return list(session.scalars(select(LedgerRow)))


def test_nothing_is_spooled_before_the_process_is_registered(
    database: Database, create: Create
) -> None:
    service = create()
    with down(database):
        service.run_once()
        with pytest.raises(SpoolError, match="not registered"):
            service.write([make.spooled()])
        assert not service.state().accepts
    service.run_once()
    assert [each.process_id for each in registered(database)] == [service.process.id]
    with down(database):
        service.write([make.spooled()])
        assert (service.state().rows, service.state().accepts) == (1, True)


def test_what_was_spooled_is_applied_with_its_own_time(database: Database, create: Create) -> None:
    service = create()
    service.run_once()
    service.write([make.spooled(campaign="2026-47")])
    with down(database):
        service.run_once()
    assert service.state().rows == 1
    service.run_once()
    assert service.state().rows == 0
    (row,) = ledger(database)
    assert (row.subscriber_id, row.topic, row.campaign) == (make.id_of(), "weekly-news", "2026-47")
    assert (row.occurred_at, row.recorded_at) == (make.NOW, LATER)


def test_a_row_is_applied_once_if_the_process_is_killed_before_it_is_deleted(
    database: Database, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    service = create()
    service.run_once()
    service.write([make.spooled()])

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(service._own.spool, "_delete", killed)
    with pytest.raises(KeyboardInterrupt):
        service.run_once()
    kill(service)
    with database.transaction() as session:
        make.undo(session, 2, 2, at=LATER)
        make.unsubscribe(session, source="mailto", at=LATER)
    create().run_once()
    with database.reading() as session:
        (state,) = session.scalars(select(SubscriptionRow))
        assert (state.source, state.repeated_at) == ("mailto", None)
    assert len(ledger(database)) == 4


def test_a_clock_that_was_set_back_puts_no_change_into_the_future(
    database: Database, create: Create
) -> None:
    service = create()
    service.run_once()
    service.write([make.spooled(acknowledged_at=LATER + timedelta(hours=1))])
    service.run_once()
    (row,) = ledger(database)
    assert row.occurred_at == row.recorded_at == LATER


def test_the_spool_of_a_killed_process_is_adopted(database: Database, create: Create) -> None:
    first, second = create(), create()
    first.run_once()
    second.run_once()
    with down(database):
        first.write([make.spooled("ada@example.org"), make.spooled("ben@example.org")])
    kill(first)
    second.run_once()
    assert len(ledger(database)) == 2
    assert [each.process_id for each in registered(database)] == [second.process.id]
    assert spool_folder.process_ids(second._folder) == [second.process.id]


def test_a_killed_process_stays_registered_until_all_its_rows_are_applied(
    database: Database, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = create(), create()
    first.run_once()
    first.write([make.spooled()])
    kill(first)

    def fail(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr(spool_service, "apply_batch", fail)
    second.run_once()
    assert {each.process_id for each in registered(database)} == {
        first.process.id,
        second.process.id,
    }
    monkeypatch.undo()
    second.run_once()
    assert len(registered(database)) == 2, "it tried again at once"
    second._next_replay = 0
    second.run_once()
    assert [each.process_id for each in registered(database)] == [second.process.id]
    assert len(ledger(database)) == 1


def test_a_damaged_spool_keeps_its_process_registered(database: Database, create: Create) -> None:
    first, second = create(), create()
    first.run_once()
    first.write([make.spooled()])
    kill(first)
    (first._folder / f"{first.process.id}.spool").write_bytes(b"garbage" * 1000)
    second.run_once()
    assert len(registered(database)) == 2
    assert len(spool_folder.list_damaged(first._folder)) == 1


def test_a_clean_stop_unregisters_and_deletes(database: Database, create: Create) -> None:
    service = create()
    service.start()
    wait_for(lambda: registered(database), "a registration")
    service.write([make.spooled()])
    service.stop()
    assert registered(database) == []
    assert spool_folder.process_ids(service._folder) == []
    assert len(ledger(database)) == 1
    with pytest.raises(SpoolError):
        service.write([make.spooled()])


def test_a_stop_without_a_database_leaves_everything_to_the_next_process(
    database: Database, create: Create
) -> None:
    service = create()
    service.run_once()
    with down(database):
        service.write([make.spooled()])
        service.stop()
    assert [each.process_id for each in registered(database)] == [service.process.id]
    create().run_once()
    assert len(ledger(database)) == 1


def test_the_thread_replays_without_being_asked(database: Database, create: Create) -> None:
    service = create()
    service.start()
    wait_for(lambda: service.state().accepts, "a registration")
    with down(database):
        service.write([make.spooled()])
        assert service.state().rows == 1
    wait_for(lambda: service.state().rows == 0, "a replay")
    assert len(ledger(database)) == 1


def test_a_check_waits_for_the_thread_to_report(database: Database, create: Create) -> None:
    service = create()
    service.start()
    wait_for(lambda: registered(database), "a registration")
    processes.wait_until_empty(database)
    service.stop()


def test_nothing_is_spooled_for_a_database_with_other_keys(
    database: Database, create: Create
) -> None:
    service = create()
    service.run_once()
    with down(database, KeyCheckError("IDENTITY_KEY is not the key")):
        service.run_once()
    with pytest.raises(SpoolError, match="not registered"):
        service.write([make.spooled()])
    service.run_once()
    service.write([make.spooled()])


def test_a_process_that_was_struck_off_by_mistake_registers_again(
    database: Database, create: Create
) -> None:
    service = create()
    service.run_once()
    with database.transaction() as session:
        processes.strike_off(session, service.process.id)
    service.run_once()
    assert [each.process_id for each in registered(database)] == [service.process.id]


def test_a_fork_of_the_process_does_not_spool(
    database: Database, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = create()
    service.run_once()
    monkeypatch.setattr(os, "getpid", lambda: service.process.pid + 1)
    with pytest.raises(SpoolError):
        service.write([make.spooled()])


def test_trouble_is_logged_once_and_old_rows_once_a_minute(
    database: Database, create: Create, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service = create()
    service.run_once()
    with down(database):
        service.write([make.spooled()])
        for _ in range(3):
            service.run_once()
        assert caplog.messages == [
            "the spool cannot be replayed or reported: the database is down",
            "unsubscribes in the spool: 1, the oldest for 10 minutes",
        ]
        service._next_warning = 0
        service.run_once()
    assert len(caplog.messages) == 3
    service.run_once()
    assert caplog.messages[3:] == [
        "unsubscribes replayed: 1",
        "the spool is replayed and reported again",
    ]


def test_rows_that_wait_briefly_are_not_logged(
    database: Database, create: Create, caplog: pytest.LogCaptureFixture
) -> None:
    service = create()
    service.run_once()
    with down(database):
        service.write([make.spooled(acknowledged_at=LATER - timedelta(minutes=4))])
        service.run_once()
    assert "in the spool" not in caplog.text


def test_a_database_without_tables_is_not_registered_with(tmp_path: Path) -> None:
    database = make.database(f"sqlite:///{tmp_path}/empty.db")
    service = SpoolService(database, tmp_path, lambda: LATER)
    service.run_once()
    assert not service.state().accepts
    service.stop()
    database.close()
