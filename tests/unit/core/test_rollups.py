"""Roll-ups: they say what the ledger says, and their writers do not wait for each other long."""

import multiprocessing
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preference_center.core import erasure, rollups
from preference_center.core.apply import apply
from preference_center.core.change import Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.draft import Change
from preference_center.core.errors import UndoRefusal
from preference_center.core.vocab import Event, Frequency, Scope, Source
from preference_center.store import Database
from preference_center.store.tables import LedgerCount, row_values
from tests.support import make
from tests.support.rollups import (
    Counts,
    by_day,
    by_kind,
    counted,
    receiving,
    receiving_counted,
    rolled_up,
)
from tests.unit.core.test_apply import STEPS, changes_of

DAY = timedelta(days=1)
TODAY = make.NOW.date()
NOON = make.NOW.replace(hour=12, minute=0)


def _assert_equal(database: Database) -> Counts:
    with database.reading() as session:
        found = rolled_up(session)
        assert found == counted(session)
        assert receiving(session) == receiving_counted(session)
        assert by_day(session) == _summed(found, lambda day, *about: (day, *about[2:]))
        for since in (TODAY + number * DAY for number in range(-8, 9)):
            later = Counts({key: number for key, number in found.items() if key[0] >= since})
            assert by_kind(session, since) == _summed(later, lambda _day, *about: about)
    return found


def _summed(counts: Counts, key_of: Callable[..., tuple[Any, ...]]) -> Counts:
    sums = Counts()
    for key, number in counts.items():
        sums[key_of(*key)] += number
    return sums


def _apply(database: Database, changes: Sequence[Change[Any]]) -> None:
    """Apply the changes in one transaction, or else each in its own; some may be refused."""
    try:
        with database.transaction() as session:
            apply(session, changes, make.NOW)
    except UndoRefusal:
        for change in changes if len(changes) > 1 else ():
            _apply(database, [change])


@pytest.mark.integration
@given(batches=st.lists(st.tuples(STEPS, st.booleans()), max_size=3))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_roll_ups_equal_the_ledger_after_any_changes(
    database: Database, batches: list[tuple[list[tuple[str, timedelta, tuple[Any, ...]]], bool]]
) -> None:
    for steps, is_folded in batches:
        kept = [(email, 9 * gap, step) for email, gap, step in steps if step[0] != "erase"]
        _apply(database, changes_of(kept))
        if is_folded:  # The next batch may add to the same days, as a late transaction does.
            with database.transaction() as session:
                rollups.fold(session, make.NOW + 30 * DAY)
        _assert_equal(database)


def test_a_change_counts_on_the_day_of_its_recording_in_utc(database: Database) -> None:
    late = NOON.replace(hour=23, minute=59, second=59)
    with database.transaction() as session:
        for email, at in (("a@example.org", late), ("b@example.org", late + timedelta(seconds=1))):
            make.unsubscribe(session, email, campaign="47", at=at, occurred_at=NOON - 9 * DAY)
    what = ("weekly-news", "47", Event.UNSUBSCRIBED, Scope.TOPIC, Source.PAGE)
    assert _assert_equal(database) == {
        (NOON.date(), *what): 1,
        ((NOON + DAY).date(), *what): 1,
    }


def test_who_receives_a_topic_counts_by_the_frequency(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news", "offers")
        make.subscriber(session, "bob@example.org", frequency=Frequency.MONTHLY)
    every, weekly, monthly = (("weekly-news", each.value) for each in Frequency)
    _assert_equal(database)
    with database.transaction() as session:
        assert receiving(session)[every] == receiving(session)[monthly] == 1
        make.reduce(session, Frequency.WEEKLY)
    _assert_equal(database)
    with database.transaction() as session:
        assert receiving(session)[weekly] == receiving(session)["offers", "every"] == 1
        make.unsubscribe(session, slug=None)
    _assert_equal(database)
    with database.reading() as session:
        assert receiving(session) == {("", ""): 1, monthly: 1}


def test_all_parts_of_a_transaction_add_to_one_slot(database: Database) -> None:
    with database.transaction() as session:
        for number in range(20):
            make.unsubscribe(session, f"p{number}@example.org", campaign=str(number % 2))
    with database.reading() as session:
        rows = session.query(LedgerCount).all()
    assert [row.count for row in rows] == [10, 10]
    assert len({row.slot for row in rows}) == 1


def test_each_connection_has_a_slot_of_its_own(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = count()
    monkeypatch.setattr("secrets.randbelow", lambda _limit: next(slots))
    databases = make.database(database_url), make.database(database_url)
    for number in range(6):
        with databases[number % 2].transaction() as session:
            make.unsubscribe(session, f"p{number}@example.org")
    with databases[0].reading() as session:
        assert [(row.slot, row.count) for row in session.query(LedgerCount)] == [(1, 3), (2, 3)]
    assert sum(_assert_equal(databases[0]).values()) == 6
    for database in databases:
        database.close()


def test_counts_of_past_days_are_folded_into_one_slot(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = count()
    monkeypatch.setattr("secrets.randbelow", lambda _limit: next(slots))
    databases = [make.database(database_url) for _ in range(3)]  # Each has a slot of its own.
    for number, at in enumerate((NOON - DAY, NOON - DAY, NOON)):
        with databases[number].transaction() as session:
            make.unsubscribe(session, f"p{number}@example.org", at=at)
    database = databases[0]
    with database.transaction() as session:
        assert rollups.fold(session, NOON) > 0
    with database.transaction() as session:
        assert rollups.fold(session, NOON) == 0
        rows = session.query(LedgerCount).order_by(LedgerCount.day).all()
    assert [(row.day, row.slot, row.count) for row in rows] == [
        ((NOON - DAY).date(), 0, 2),
        (NOON.date(), 3, 1),
    ]
    _assert_equal(database)
    for each in databases:
        each.close()


def test_what_is_rolled_back_is_not_counted(database: Database) -> None:
    with database.transaction(dry_run=True) as session:
        make.unsubscribe(session)
    assert _assert_equal(database) == {}


def test_an_erasure_counts_and_leaves_earlier_counts(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, campaign="47")
    before = _assert_equal(database)
    with database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    with database.reading() as session:
        added = rolled_up(session) - before
        assert rolled_up(session) & before == before
    where = (make.NOW.date(), "", "")
    assert added == {
        (*where, Event.UNSUBSCRIBED, Scope.ALL, Source.CLI): 1,
        (*where, Event.ERASED, Scope.ALL, Source.CLI): 1,
    }


def test_a_count_holds_no_personal_data(database: Database) -> None:
    expected = {"day", "topic", "campaign", "event", "scope", "source", "slot", "count"}
    assert set(row_values(LedgerCount())) == expected


# Processes.

PROCESSES, ROUNDS, PARTS, SIZE = 4, 10, 3, 4
TOPICS = [f"topic-{number}" for number in range(5)]


def _unsubscribe_many(url: str, process: int) -> None:
    """Apply several batches in each transaction, all with the same slot and the same few keys.

    Each batch locks subscribers of this process, known and new ones, after the one before it has
    counted its rows.
    """
    rollups.SLOTS = 1
    database, chance = make.database(url), Random(process)
    for turn in range(ROUNDS):
        with database.transaction() as session:
            for part in range(PARTS):
                slug = chance.choice(TOPICS)
                context = make.context(Source.ONE_CLICK, campaign=chance.choice("ab"))
                people = [*range(SIZE), *(100 + SIZE * (PARTS * turn + part + n) for n in (0, 1))]
                changes = [
                    Unsubscribe(make.id_of(f"{process}-{n}@example.org"), Target.of(slug), context)
                    for n in people
                ]
                apply(session, changes, make.NOW)
    database.close()


@pytest.mark.integration
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "distributed"], indirect=True)
def test_processes_with_the_same_keys_lose_no_count_and_do_not_deadlock(
    database: Database, database_url: str
) -> None:
    with database.transaction() as session:
        for slug in TOPICS:
            make.topic(session, slug)
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        jobs = [(database_url, process) for process in range(PROCESSES)]
        pool.starmap(_unsubscribe_many, jobs, chunksize=1)
    assert sum(_assert_equal(database).values()) > PROCESSES * ROUNDS
