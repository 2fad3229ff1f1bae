"""The oldest unsubscribe that each reader of the feed has not fetched, also in the metrics."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from preference_center.core import api_keys, consumers, feed, monitoring
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.consumers import Progress
from preference_center.core.monitoring import Figures
from preference_center.core.vocab import Frequency
from preference_center.store import Database
from tests.support import make

HOUR = timedelta(hours=1)
NONE = timedelta(0)


@pytest.fixture(autouse=True)
def three_events(database: Database) -> None:
    """Record a start, a cap and, an hour later, an unsubscribe."""
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Frequency.WEEKLY)
        make.unsubscribe(session, at=make.NOW + HOUR)
        feed.number(session, make.NOW)


def fetch(database: Database, position: int, **fields: Any) -> tuple[UUID, str]:
    """Let a new key fetch up to a position; return its id and its prefix."""
    with database.transaction() as session:
        scopes = [ApiScope.EVENTS]
        key, _ = api_keys.create(session, "crm", ApiKeyKind.LIVE, scopes, make.NOW, **fields)
        consumers.note_progress(session, key.id, Progress(0, position), make.NOW)
        return key.id, key.prefix


def acknowledged(database: Database) -> list[tuple[str, int]]:
    with database.reading() as session:
        return consumers.acknowledged(session, make.NOW)


def figures(database: Database, now: datetime = make.NOW + 5 * HOUR) -> Figures:
    with database.reading() as session:
        return monitoring.read(session, now)


@pytest.mark.parametrize(("position", "age"), [(0, 4 * HOUR), (2, 4 * HOUR), (3, NONE)])
def test_the_oldest_unsubscribe_after_the_position_has_an_age(
    database: Database, position: int, age: timedelta
) -> None:
    _, prefix = fetch(database, position)
    assert figures(database).unfetched_by == {prefix: age}


def test_the_position_is_the_last_one(database: Database) -> None:
    key, prefix = fetch(database, 3)
    with database.transaction() as session:
        consumers.note_progress(session, key, Progress(0, 1), make.NOW)
        assert consumers.progress(session, key) == Progress(0, 1)
    assert figures(database).unfetched_by == {prefix: 4 * HOUR}


def test_each_reader_has_an_age_of_its_own(database: Database) -> None:
    ahead, behind = fetch(database, 3), fetch(database, 0)
    assert figures(database).unfetched_by == {ahead[1]: NONE, behind[1]: 4 * HOUR}


def test_an_unsubscribe_without_a_position_counts(database: Database) -> None:
    _, prefix = fetch(database, 3)
    with database.transaction() as session:
        make.unsubscribe(session, slug=None, at=make.NOW + 2 * HOUR)
    assert figures(database).unfetched_by == {prefix: 3 * HOUR}
    assert figures(database).oldest_unnumbered == 3 * HOUR


def test_a_key_that_is_no_longer_valid_has_no_age(database: Database) -> None:
    fetch(database, 0, expires_at=make.NOW + HOUR)
    _, prefix = fetch(database, 0)
    with database.transaction() as session:
        api_keys.revoke(session, prefix, make.NOW)
    assert figures(database).unfetched_by == {}


def test_what_a_reader_has_fetched_is_fetched(database: Database) -> None:
    assert figures(database).oldest_unfetched == 4 * HOUR
    _, behind = fetch(database, 0)
    assert figures(database).oldest_unfetched == 4 * HOUR
    with database.transaction() as session:
        api_keys.revoke(session, behind, make.NOW)
    fetch(database, 3)
    assert figures(database).oldest_unfetched == NONE
    with database.transaction() as session:
        make.unsubscribe(session, slug=None, at=make.NOW + 2 * HOUR)
    assert figures(database).oldest_unfetched == 3 * HOUR


def test_what_was_fetched_is_acknowledged_only_when_the_reader_goes_on(database: Database) -> None:
    key, prefix = fetch(database, 3)
    assert acknowledged(database) == [(f"API key {prefix} (crm)", 0)]
    with database.transaction() as session:
        consumers.note_progress(session, key, Progress(3, 3), make.NOW)
    assert acknowledged(database) == [(f"API key {prefix} (crm)", 3)]
    with database.transaction() as session:
        api_keys.revoke(session, prefix, make.NOW)
    assert acknowledged(database) == []
