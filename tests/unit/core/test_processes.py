"""Registered processes, and what an audience check waits for."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import cycle
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from preference_center.core import processes
from preference_center.core.processes import Process, Waiting
from preference_center.store import Database, UnavailableError, queries
from preference_center.store.tables import ServingProcess
from tests.support import make

EMPTY = Waiting(0)


def process(host: str = "a") -> Process:
    return Process(uuid4(), host, 12)


def report(database: Database, each: Process, waiting: Waiting = EMPTY) -> None:
    with database.transaction() as session:
        processes.report(session, each, lambda: waiting)


def registered(database: Database) -> dict[UUID, ServingProcess]:
    with database.reading() as session:
        return {each.process_id: each for each in processes.list_all(session)}


class Time:
    """A clock that only `sleep` moves; each sleep does something first."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.now, self.meanwhile = 0.0, meanwhile

    def sleep(self, seconds: float) -> None:
        self.meanwhile()
        self.now += seconds


def wait(database: Database, meanwhile: Callable[[], None] = lambda: None) -> float:
    """Wait as an audience check does, and return how many seconds it took."""
    time = Time(meanwhile)
    processes.wait_until_empty(database, sleep=time.sleep, clock=lambda: time.now)
    return time.now


def test_the_first_report_registers_and_later_ones_update(database: Database) -> None:
    first = process()
    report(database, first)
    known = registered(database)[first.id]
    assert (known.host, known.pid, known.waiting_rows) == ("a", 12, 0)
    assert known.empty_at == known.started_at == known.reported_at
    report(database, first, Waiting(3, make.NOW))
    later = registered(database)[first.id]
    assert (later.waiting_rows, later.oldest_at) == (3, make.NOW)
    assert (later.started_at, later.empty_at) == (known.started_at, known.empty_at)
    assert later.reported_at > known.reported_at


def test_the_time_of_a_report_is_read_before_the_spool(database: Database) -> None:
    """What is acknowledged after the spool was read must not count as reported."""
    first, read_at = process(), []

    def read_spool() -> Waiting:
        read_at.append(queries.database_time(session))
        return EMPTY

    with database.transaction() as session:
        processes.report(session, first, read_spool)
    empty_at = registered(database)[first.id].empty_at
    assert empty_at is not None
    assert empty_at <= read_at[0]


def test_a_check_does_not_wait_without_a_registered_process(database: Database) -> None:
    assert wait(database) == 0


def test_a_check_waits_for_a_report_of_every_process_since_it_began(database: Database) -> None:
    first, second = process("a"), process("b")
    report(database, first)
    report(database, second)
    turns = cycle([first, second])
    # SQLite counts milliseconds: a report in the same one does not count.
    assert 0.2 <= wait(database, lambda: report(database, next(turns))) < 1


def test_a_check_is_refused_while_a_process_does_not_report(database: Database) -> None:
    silent, other = process("mail-1.example.org"), process("b")
    report(database, silent, Waiting(3, make.NOW))
    with pytest.raises(processes.UnsubscribesWaitingError) as refused:
        wait(database, lambda: report(database, other))
    assert isinstance(refused.value, UnavailableError)
    assert str(silent.id) in str(refused.value)
    assert "host mail-1.example.org, pid 12, 3 waiting" in str(refused.value)
    assert "spool strike-off" in str(refused.value)
    assert str(other.id) not in str(refused.value)


def test_a_check_is_refused_while_rows_wait(database: Database) -> None:
    first = process()
    report(database, first)
    with pytest.raises(processes.UnsubscribesWaitingError):
        wait(database, lambda: report(database, first, Waiting(1, make.NOW)))


def test_a_check_waits_at_most_three_seconds(database: Database) -> None:
    report(database, process())
    time = Time()
    with pytest.raises(processes.UnsubscribesWaitingError):
        processes.wait_until_empty(database, sleep=time.sleep, clock=lambda: time.now)
    assert time.now == pytest.approx(3, abs=0.11)


def test_a_check_waits_for_a_process_that_registers_with_rows_meanwhile(
    database: Database,
) -> None:
    """One that was struck off by mistake registers again, with what it had spooled."""
    first, back = process(), process()
    report(database, first)
    with pytest.raises(processes.UnsubscribesWaitingError, match=str(back.id)):
        wait(database, lambda: report(database, back, Waiting(1, make.NOW)))


def set_empty_at(database: Database, at: datetime) -> None:
    with database.transaction() as session:
        session.execute(update(ServingProcess).values(empty_at=at))


def test_an_old_report_from_the_future_does_not_count(database: Database) -> None:
    """The database's clock was set back, or a failover led to a server with another clock."""
    first = process()
    report(database, first)
    with database.reading() as session:
        now = queries.database_time(session)
    set_empty_at(database, now + timedelta(hours=1))
    with pytest.raises(processes.UnsubscribesWaitingError):
        wait(database)
    report(database, first)
    assert 0.1 <= wait(database, lambda: report(database, first)) < 1


def test_a_process_can_be_removed_and_struck_off(database: Database) -> None:
    first, second = process(), process()
    report(database, first)
    report(database, second)
    with database.transaction() as session:
        assert processes.remove(session, first.id)
        assert not processes.remove(session, first.id)
        processes.strike_off(session, second.id)
        with pytest.raises(processes.UnknownProcessError, match=str(second.id)):
            processes.strike_off(session, second.id)
    assert wait(database) == 0


def test_a_process_that_was_struck_off_registers_again(database: Database) -> None:
    first = process()
    report(database, first)
    with database.transaction() as session:
        processes.strike_off(session, first.id)
    report(database, first, Waiting(2, make.NOW))
    assert registered(database)[first.id].empty_at is None
