"""Unsubscribes that arrive late: which newer choices supersede them."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from preference_center.core import preferences, topics
from preference_center.core.apply import apply_one
from preference_center.core.change import ChangeResult
from preference_center.core.undo import UndoRows
from preference_center.core.vocab import Frequency, Pause, Source
from preference_center.store import Database
from tests.support import make

ADA = "ada@example.org"
HOUR = timedelta(hours=1)
LATER = make.NOW + HOUR


def _received(session: Session) -> set[str]:
    ada = make.found(session)
    return {topic.slug for topic in topics.list_topics(session) if preferences.receives(ada, topic)}


def _late_unsubscribe(session: Session, slug: str | None = "weekly-news") -> ChangeResult:
    """Record an unsubscribe that was made before every other change of a test."""
    made_at = make.NOW - HOUR
    return make.unsubscribe(
        session, slug=slug, source=Source.MAILTO, at=make.NOW + 2 * HOUR, occurred_at=made_at
    )


@pytest.mark.parametrize("slug", ["weekly-news", None])
@pytest.mark.parametrize("choice", [Frequency.WEEKLY, Pause.ONE_MONTH])
def test_a_reduction_does_not_supersede_a_late_unsubscribe(
    database: Database, slug: str | None, choice: Frequency | Pause
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, choice)
        assert _late_unsubscribe(session, slug).changed
        assert _received(session) == set()


@pytest.mark.parametrize("choice", [Frequency.WEEKLY, Pause.ONE_MONTH])
def test_undoing_a_reduction_does_not_supersede_a_late_unsubscribe(
    database: Database, choice: Frequency | Pause
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        reduced = make.reduce(session, choice)
        make.undo(session, reduced.last_seq, reduced.last_seq)
        assert _late_unsubscribe(session).changed


def test_undoing_a_join_does_not_supersede_a_late_unsubscribe(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "offers")
        make.topic(session)
        joined = make.start_topic(session)
        make.undo(session, joined.last_seq, joined.last_seq)
        assert _late_unsubscribe(session).changed
        make.subscriber(session)
        assert _received(session) == {"offers"}, "an import restarted the unsubscribed topic"


def test_what_staff_have_undone_does_not_supersede_a_late_unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        row = make.unsubscribe(session, source=Source.CONSOLE).last_seq
        context = make.context(source=Source.CONSOLE, at=LATER)
        assert apply_one(session, UndoRows(make.id_of(), row, row, context), LATER)
        assert _received(session) == {"weekly-news"}
        assert _late_unsubscribe(session).changed


def test_an_increase_supersedes_a_late_unsubscribe(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, frequency=Frequency.MONTHLY)
        make.set_frequency(session, Frequency.WEEKLY)
        assert not _late_unsubscribe(session).changed
        make.reduce(session, Pause.ONE_MONTH)
        make.resume(session, at=LATER)
        assert not _late_unsubscribe(session).changed


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_joining_supersedes_a_late_unsubscribe(database: Database, slug: str | None) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, slug=slug)
        make.start_topic(session, at=LATER)
        assert not _late_unsubscribe(session, slug).changed
        assert _received(session) == {"weekly-news"}


def test_joining_does_not_supersede_a_late_unsubscribe_from_another_topic(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        make.unsubscribe(session, slug="offers")
        make.start_topic(session, slug="offers", at=LATER)
        assert _late_unsubscribe(session, "weekly-news").changed


@pytest.mark.parametrize(("seconds", "superseded"), [(60, False), (61, True)])
def test_a_choice_that_may_be_older_by_another_clock_does_not_supersede(
    database: Database, seconds: int, superseded: bool
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
        joined_at = make.NOW + timedelta(seconds=seconds)
        make.start_topic(session, at=joined_at)
        late = make.unsubscribe(session, source="one-click", at=LATER, occurred_at=make.NOW)
        assert late.changed is not superseded
