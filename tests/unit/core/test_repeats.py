"""A repeated unsubscribe stays in force when the first one is undone."""

from datetime import timedelta

import pytest

from preference_center.core import audience, topics
from preference_center.core.apply import apply_one
from preference_center.core.errors import UndoNotOfferedError, UndoSupersededError
from preference_center.core.undo import UndoRows
from preference_center.core.vocab import Source
from preference_center.store import Database
from tests.support import make

LATER = make.NOW + timedelta(minutes=5)


def verdict(database: Database) -> str:
    with database.transaction() as session:
        topic = topics.get(session, "weekly-news")
        return audience.check(session, topic, "c", {make.id_of(): ""}, LATER)[make.id_of()].decision


@pytest.mark.parametrize("slug", ["weekly-news", None])
@pytest.mark.parametrize("source", ["one-click", "complaint", "api"])
def test_undoing_the_first_unsubscribe_keeps_later_ones(
    database: Database, slug: str | None, source: Source
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session, slug=slug, campaign="a")
    with database.transaction() as session:
        make.unsubscribe(session, slug=slug, source=source, campaign="a", at=LATER)
    refusal = UndoSupersededError if source == "complaint" else UndoNotOfferedError
    with pytest.raises(refusal), database.transaction() as session:
        make.undo(session, first.last_seq, first.last_seq, at=LATER)
    assert verdict(database) == "deny"


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_a_person_who_tells_staff_twice_has_repeated_it(
    database: Database, slug: str | None
) -> None:
    context = make.context(Source.CONSOLE)
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session, slug=slug, source=Source.CONSOLE).last_seq
        make.unsubscribe(session, slug=slug, source=Source.CONSOLE, at=LATER)
        assert not apply_one(session, UndoRows(make.id_of(), first, first, context), LATER)
    assert verdict(database) == "deny"


def test_an_unsubscribe_from_another_campaign_is_a_repeat(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session, source="one-click", campaign="a")
        make.unsubscribe(session, source="one-click", campaign="b", at=LATER)
        with pytest.raises(UndoNotOfferedError):
            make.undo(session, first.last_seq, first.last_seq, at=LATER)


@pytest.mark.parametrize(("source", "seconds"), [("page", 60), ("one-click", 300)])
def test_a_double_press_or_a_second_provider_post_can_be_undone(
    database: Database, source: Source, seconds: int
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session, source=source, campaign="a")
        second_at = make.NOW + timedelta(seconds=seconds)
        make.unsubscribe(session, source=source, campaign="a", at=second_at)
        assert make.undo(session, first.last_seq, first.last_seq, at=LATER).changed
    assert verdict(database) == "allow"


def test_importing_our_own_unsubscribe_does_not_prevent_undo(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session)
        make.unsubscribe(session, source="import", recorded_at=LATER, original_source="page")
        assert make.undo(session, first.last_seq, first.last_seq, at=LATER).changed


def test_a_second_press_minutes_later_is_a_repeat(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session, campaign="a")
        make.unsubscribe(session, campaign="a", at=LATER)
        with pytest.raises(UndoNotOfferedError):
            make.undo(session, first.last_seq, first.last_seq, at=LATER)


def test_importing_another_systems_unsubscribe_is_a_repeat(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session)
        make.unsubscribe(session, source="import", at=LATER)
        with pytest.raises(UndoNotOfferedError):
            make.undo(session, first.last_seq, first.last_seq, at=LATER)


def test_undo_of_several_rows_keeps_a_complaint_between_them(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session, slug=None)
        make.undo(session, first.last_seq, first.last_seq)
        make.unsubscribe(session, slug=None, source="import", original_source="complaint")
        last = make.unsubscribe(session)
        with pytest.raises(UndoSupersededError):
            make.undo(session, first.last_seq, last.last_seq)
    assert verdict(database) == "deny"


def test_an_unsubscribe_after_an_undo_is_not_a_repeat(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session, campaign="a")
        make.undo(session, first.last_seq, first.last_seq)
        second = make.unsubscribe(session, campaign="b", at=LATER)
        assert make.undo(session, second.last_seq, second.last_seq, at=LATER).changed
    assert verdict(database) == "allow"
