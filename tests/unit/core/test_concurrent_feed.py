"""Writers with slow commits, several sequencers, and one that is killed: no event is skipped."""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from preference_center.core import feed
from preference_center.outbound.sequencer import Sequencer
from preference_center.store import Database
from tests.support import feed_load, make

pytestmark = pytest.mark.integration
ENGINES = ("sqlite", "postgresql", "distributed")


@contextmanager
def sequencers(url: str, count: int) -> Iterator[None]:
    stop, database = threading.Event(), make.database(url)
    sequencer = Sequencer(database, lambda: make.NOW)
    threads = [threading.Thread(target=sequencer.run, args=(stop,)) for _ in range(count)]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        stop.set()
        for each in threads:
            each.join()
        database.close()


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_reader_sees_each_event_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preference_center.outbound.sequencer._POLL_SECONDS", 0.01)
    pause = 0.002 if database_url.startswith("sqlite") else 0.1
    with sequencers(database_url, 2), feed_load.running(database_url, pause) as load:
        load.wait_for(150)
    load.assert_complete()


def _number_and_stay(url: str, numbered: Any) -> None:
    with make.database(url).transaction() as session:
        assert feed.number(session, make.NOW) == 1
        session.flush()
        numbered.set()
        time.sleep(60)


@pytest.mark.parametrize("database_url", ["postgresql", "distributed"], indirect=True)
def test_another_takes_over_from_one_that_is_killed(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        feed.number(session, make.NOW)
    with database.transaction() as session:
        make.unsubscribe(session)
    spawn = multiprocessing.get_context("spawn")
    numbered = spawn.Event()
    holder = spawn.Process(target=_number_and_stay, args=(database_url, numbered))
    holder.start()
    try:
        assert numbered.wait(30)
        other = Sequencer(database, lambda: make.NOW)
        assert other.number() == 0
    finally:
        holder.kill()
        holder.join()
    give_up = time.monotonic() + 5
    while not other.number():
        assert time.monotonic() < give_up
        time.sleep(0.02)
    with database.reading() as session:
        assert [each.position for each in feed.read(session, 0, 10, make.NOW)] == [1, 2]
