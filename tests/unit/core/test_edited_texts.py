"""Edited texts: publications are numbered in the order of their commits, and read by number."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from preference_center.core import edited_texts
from preference_center.core.edited_texts import Place
from preference_center.core.errors import EditRefusal
from preference_center.core.staff import members
from preference_center.core.staff_vocab import StaffRole
from preference_center.store import Database
from tests.support import make

ENGLISH = ("Thank you.",)
GERMAN = Place("de", "a" * 32, ENGLISH)
NUMBER = 8


@pytest.fixture
def editor(database: Database) -> UUID:
    with database.transaction() as session:
        invited, _ = members.invite(
            session, "eve@example.org", StaffRole.MARKETER, make.NOW, by=None
        )
    return invited.id


def publish(database: Database, editor: UUID, text: str, place: Place = GERMAN) -> None:
    with database.transaction() as session:
        edited_texts.save_draft(session, place, (text,), by=editor, now=make.NOW)
        session.flush()
        draft = edited_texts.history(session, place).draft
        assert draft is not None
        edited_texts.publish(session, place, draft.id, by=editor, now=make.NOW)


def test_only_newer_publications_are_read_oldest_first(database: Database, editor: UUID) -> None:
    assert edited_texts.newer(database, 0) == []
    publish(database, editor, "Danke!")
    publish(database, editor, "Vielen Dank!")
    with database.transaction() as session:
        edited_texts.save_draft(session, GERMAN, ("Entwurf",), by=editor, now=make.NOW)
        edited_texts.restore(session, GERMAN, None, by=editor, now=make.NOW)
    assert edited_texts.newer(database, 1) == [
        (2, "de", ENGLISH, ("Vielen Dank!",)),
        (3, "de", ENGLISH, ()),
    ]


def test_publications_at_the_same_time_have_different_numbers(
    database: Database, editor: UUID
) -> None:
    places = [Place("de", f"{number:032}", ENGLISH) for number in range(NUMBER)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda place: publish(database, editor, "Danke!", place), places))
    published = edited_texts.newer(database, 0)
    assert [each.publication for each in published] == list(range(1, NUMBER + 1))


def test_a_version_of_another_text_is_not_put_back(database: Database, editor: UUID) -> None:
    publish(database, editor, "Danke!")
    other = Place("de", "b" * 32, ENGLISH)
    with pytest.raises(EditRefusal), database.transaction() as session:
        edited_texts.restore(session, other, 1, by=editor, now=make.NOW)


def test_the_newest_versions_of_each_text_are_kept(
    database: Database, editor: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edited_texts, "MAX_VERSIONS", 2)
    other = Place("de", "b" * 32, ENGLISH)
    for place, texts in ((GERMAN, "abcd"), (other, "ab")):
        for text in texts:
            publish(database, editor, text, place)
    with database.transaction() as session:
        edited_texts.save_draft(session, GERMAN, ("Entwurf",), by=editor, now=make.NOW)
    with database.transaction() as session:
        assert [make.purge(session, "old versions of texts", make.NOW) for _ in range(2)] == [2, 0]
        history = edited_texts.history(session, GERMAN)
        assert [each.forms for each in history.published] == [("d",), ("c",)]
        assert history.draft is not None
        assert len(edited_texts.history(session, other).published) == 2


def test_nothing_is_read_before_the_keys_are_checked_or_without_the_database() -> None:
    gone = Database("sqlite:////no/such/folder/x.db", (make.SERVER_KEY,))
    assert edited_texts.newer(gone, 0) == ()
    gone.keys_are_checked = True
    assert edited_texts.newer(gone, 0) == ()
    gone.close()
