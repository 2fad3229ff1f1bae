"""The worker's part: held addresses are deleted in batches, and what was missed is logged."""

import logging
import time
from datetime import timedelta
from threading import Event

import pytest

from preference_center.core import consumers, erasure, feed, missed_erasures, unacknowledged
from preference_center.core.api_keys import create
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.consumers import Progress
from preference_center.core.unacknowledged import HELD_FOR
from preference_center.core.vocab import Source
from preference_center.outbound.erasures import Erasures
from preference_center.store import Database, UnavailableError
from preference_center.store.tables import UnacknowledgedErasure
from tests.support import make

PEOPLE = [f"person-{number}@example.org" for number in range(5)]


@pytest.fixture(autouse=True)
def reader(database: Database, monkeypatch: pytest.MonkeyPatch) -> Progress:
    """Erase people while a program reads the feed; return how far it has to read."""
    monkeypatch.setattr(unacknowledged, "BATCH_SIZE", 2)
    with database.transaction() as session:
        key, _ = create(session, "crm", ApiKeyKind.LIVE, [ApiScope.EVENTS], make.NOW)
        consumers.note_progress(session, key.id, Progress(0, 0), make.NOW)
        for email in PEOPLE:
            make.subscriber(session, email)
        erasure.erase(session, map(make.id_of, PEOPLE), Source.CLI, make.NOW)
        feed.number(session, make.NOW)
        last = feed.last_position(session)
        return Progress(last, last)


def settle(database: Database, at: timedelta = timedelta(0)) -> tuple[int, int]:
    """Run it once; return how many erasures wait, and how many were missed."""
    Erasures(database, lambda: make.NOW + at).settle()
    with database.reading() as session:
        count = session.query(UnacknowledgedErasure).count()
        missed = len(missed_erasures.read(session))
    return count - missed, missed


def test_erasures_wait_until_they_are_acknowledged(database: Database, reader: Progress) -> None:
    assert settle(database) == (5, 0)
    with database.transaction() as session:
        (key,) = consumers.list_all(session, make.NOW)
        consumers.note_progress(session, key.id, reader, make.NOW)
    assert settle(database) == (0, 0)


def test_what_was_missed_is_logged_by_the_name_of_the_consumer(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unacknowledged, "BATCH_SIZE", 5)
    with caplog.at_level(logging.INFO, "preference_center"):
        assert settle(database, HELD_FOR) == (0, 5)
        assert settle(database, HELD_FOR) == (0, 5)
    (record,) = (each for each in caplog.records if each.name.endswith("erasures"))
    assert "(crm) has not acknowledged 5 erasures in time" in record.getMessage()
    assert "person" not in caplog.text


def test_it_pauses_longer_than_it_works(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            self.set()
            return True

    waits: list[float] = []
    monkeypatch.setattr("preference_center.outbound.erasures._POLL_SECONDS", 0)
    monkeypatch.setattr(Erasures, "settle", lambda _: time.sleep(0.05))
    Erasures(database, lambda: make.NOW).run(Stop())
    (pause,) = waits
    assert pause > 0.4


def test_an_error_does_not_end_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preference_center.outbound.erasures._POLL_SECONDS", 0)
    stop, errors = Event(), [UnavailableError("down"), ValueError("a bug")]

    def clock() -> object:
        if errors:
            raise errors.pop()
        stop.set()
        return make.NOW + HELD_FOR

    Erasures(database, clock).run(stop)  # type: ignore[arg-type]
    with database.reading() as session:
        assert session.query(UnacknowledgedErasure).filter_by(missed_at=None).count() == 0
