"""A corrected address: both subscribers are linked, and nothing else changes."""

from datetime import timedelta

import pytest

from preference_center.core import erasure, linked
from preference_center.core.errors import LinkRefusal
from preference_center.core.linked import Correction
from preference_center.core.vocab import Source
from preference_center.store import Database
from preference_center.store.tables import LinkedSubscriber
from tests.support import make

ADA, NEW = "ada@example.org", "ada.new@example.org"


def link(database: Database, older: str = ADA, newer: str = NEW, by: str = "Fay") -> None:
    pair = Correction(make.id_of(older), make.id_of(newer), "by phone", by)
    with database.transaction() as session:
        linked.record(session, pair, newer, make.NOW)


def links(database: Database) -> set[tuple[object, ...]]:
    with database.reading() as session:
        return {
            (row.subscriber_id, row.other_id, row.other_is_newer, row.linked_by)
            for row in session.query(LinkedSubscriber)
        }


@pytest.fixture
def known(database: Database) -> Database:
    with database.transaction() as session:
        make.subscriber(session)
    return database


def test_both_subscribers_have_the_link_and_no_consent_is_copied(known: Database) -> None:
    link(known)
    old, new = make.id_of(ADA), make.id_of(NEW)
    assert links(known) == {(old, new, True, "Fay"), (new, old, False, "Fay")}
    with known.reading() as session:
        assert list(make.found(session, ADA).subscriptions) == ["weekly-news"]
        newer = make.found(session, NEW)
        assert (newer.email, newer.subscriptions, newer.seq) == (NEW, {}, 0)


def test_a_repeat_replaces_the_note(known: Database) -> None:
    link(known)
    link(known, by="Gus")
    assert {by for *_, by in links(known)} == {"Gus"}
    assert len(links(known)) == 2


@pytest.mark.parametrize(("older", "newer"), [(ADA, ADA), ("eve@example.org", NEW)])
def test_one_address_or_an_unknown_one_is_refused(known: Database, older: str, newer: str) -> None:
    with pytest.raises(LinkRefusal):
        link(known, older, newer)
    assert links(known) == set()


@pytest.mark.every_engine
@pytest.mark.parametrize("email", [ADA, NEW])
def test_erasing_either_deletes_both_sides(known: Database, email: str) -> None:
    link(known)
    with known.transaction() as session:
        later = make.NOW + timedelta(hours=1)
        erasure.erase(session, [make.id_of(email)], Source.CLI, later)
    assert links(known) == set()
    with pytest.raises(LinkRefusal):
        link(known)
