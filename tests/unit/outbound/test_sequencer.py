"""The sequencer goes on after an error, and numbers soon."""

import threading
import time

import pytest

from preference_center.core import feed
from preference_center.outbound.sequencer import Sequencer
from preference_center.store import Database, UnavailableError
from tests.support import make


def last_position(database: Database) -> int:
    with database.reading() as session:
        return feed.last_position(session)


def test_events_are_numbered_within_a_second(database: Database) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=Sequencer(database, lambda: make.NOW).run, args=(stop,))
    thread.start()
    with database.transaction() as session:
        make.subscriber(session)
    give_up = time.monotonic() + 1
    while not last_position(database) and time.monotonic() < give_up:
        time.sleep(0.02)
    stop.set()
    thread.join()
    assert last_position(database) == 1


@pytest.mark.parametrize("error", [UnavailableError("gone"), ValueError("a bug")])
def test_an_error_does_not_end_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    stop, results = threading.Event(), [error]

    def number(self: Sequencer) -> int:
        if results:
            raise results.pop()
        stop.set()
        return 0

    monkeypatch.setattr(Sequencer, "number", number)
    monkeypatch.setattr("preference_center.outbound.sequencer._POLL_SECONDS", 0)
    Sequencer(database, lambda: make.NOW).run(stop)
    assert results == []


def test_nothing_is_written_while_there_is_nothing_to_number(database: Database) -> None:
    def refuse() -> None:
        raise AssertionError

    assert Sequencer(database, refuse).number() == 0  # type: ignore[arg-type]
