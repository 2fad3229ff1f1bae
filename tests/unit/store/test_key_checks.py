"""A database can only be used with its own keys."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import delete, literal, select, update
from sqlalchemy.orm import Session

from preference_center.core import subscribers, verification
from preference_center.core.vocab import KeyKind
from preference_center.store import Database, KeyCheckError, keys
from preference_center.store.schema import check_schema
from preference_center.store.tables import KeyCheck, LedgerRow, SubscriberRow
from preference_center.store.upgrade import upgrade
from tests.support import make

OTHER = "another-key-for-tests-7gQ2mB5xK8wZ"
WRONG: dict[KeyKind, dict[str, Any]] = {
    KeyKind.IDENTITY: {"identity_key": OTHER},
    KeyKind.SERVER: {"server_keys": (OTHER,)},
    KeyKind.LINK: {"link_keys": (OTHER,)},
}
SESSIONS: list[Callable[[Database], Any]] = [Database.transaction, Database.reading]


@pytest.fixture
def unchecked(database: Database) -> Database:
    """Return a filled database that has no check values yet."""
    with database.transaction() as session:
        for number in range(6):
            make.subscriber(session, f"reader-{number}@example.org", "weekly-news", "offers")
    _delete_check_values(database)
    return database


def _delete_check_values(database: Database) -> None:
    with Session(database.engine) as session, session.begin():
        session.execute(delete(KeyCheck))


def _recorded_keys(database: Database) -> keys.Known:
    with Session(database.engine) as session:
        return keys.known(session)


@pytest.mark.parametrize("open_session", SESSIONS)
@pytest.mark.parametrize("kind", KeyKind)
def test_no_session_starts_with_a_wrong_key(
    database: Database, database_url: str, kind: KeyKind, open_session: Callable[[Database], Any]
) -> None:
    other = make.database(database_url, **WRONG[kind])
    with pytest.raises(KeyCheckError) as error, open_session(other):
        raise AssertionError("a session started")
    assert str(error.value).startswith(f"{keys.SETTINGS[kind]} ")
    assert OTHER not in str(error.value)
    assert not other.keys_are_checked
    with pytest.raises(KeyCheckError):
        check_schema(other)
    other.close()


def test_each_session_checks_the_keys_again(database: Database) -> None:
    known = []
    for key in (make.IDENTITY_KEY, OTHER, make.IDENTITY_KEY):
        with Session(database.engine) as session, session.begin():
            session.execute(delete(KeyCheck).where(KeyCheck.kind == KeyKind.IDENTITY))
            keys.add(session, KeyKind.IDENTITY, [key], make.NOW)
        known.append(database.keys_are_checked)
        with suppress(KeyCheckError), database.reading():
            pass
        known.append(database.keys_are_checked)
    assert known == [False, True, True, False, False, True]


def test_all_wrong_keys_are_named(database: Database, database_url: str) -> None:
    changes = {name: value for wrong in WRONG.values() for name, value in wrong.items()}
    other = make.database(database_url, **changes)
    with pytest.raises(KeyCheckError) as error, other.reading():
        pass
    assert all(name in str(error.value) for name in keys.SETTINGS.values())
    other.close()


def test_one_matching_key_of_a_list_is_enough(database: Database, database_url: str) -> None:
    for both in ((OTHER, make.SERVER_KEY), (make.SERVER_KEY, OTHER)):
        other = make.database(database_url, server_keys=both, link_keys=(OTHER, make.LINK_KEY))
        with other.transaction() as session:
            make.unsubscribe(session)
        other.close()
    with database.reading() as session:
        assert [problem for problem in verification.verify(session) if problem] == []


def test_a_kind_of_key_without_a_value_is_not_checked(
    database: Database, database_url: str
) -> None:
    other = Database(database_url, (make.SERVER_KEY,))
    with other.transaction() as session:
        make.unsubscribe(session)
    other.close()


def test_the_error_about_missing_check_values_names_the_upgrade_command(
    unchecked: Database,
) -> None:
    with pytest.raises(KeyCheckError, match=r"IDENTITY_KEY.* \(run: preference-center upgrade"):
        check_schema(unchecked)


def test_a_new_key_signs_as_soon_as_it_is_recorded(database: Database, database_url: str) -> None:
    rotating = make.database(
        database_url, server_keys=(make.SERVER_KEY, OTHER), link_keys=(make.LINK_KEY, OTHER)
    )
    with rotating.transaction() as session:
        assert session.info["keys"][KeyKind.SERVER] == (OTHER, make.SERVER_KEY)
        assert session.info["keys"][KeyKind.LINK] == (OTHER, make.LINK_KEY)
        keys.add(session, KeyKind.SERVER, [OTHER], make.NOW)
    with rotating.transaction() as session:
        assert session.info["keys"][KeyKind.SERVER] == (make.SERVER_KEY, OTHER)
        assert session.info["keys"][KeyKind.LINK] == (OTHER, make.LINK_KEY)
    rotating.close()


def test_the_newest_recorded_key_of_three_signs(database: Database, database_url: str) -> None:
    middle = "a-third-key-for-tests-2pX9vN4cT6yH"
    rotating = make.database(database_url, server_keys=(make.SERVER_KEY, middle, OTHER))
    for added, signs in ((None, make.SERVER_KEY), (OTHER, OTHER), (middle, OTHER)):
        with rotating.transaction() as session:
            keys.add(session, KeyKind.SERVER, [added] if added else [], make.NOW)
        with rotating.reading() as session:
            assert session.info["keys"][KeyKind.SERVER][-1] == signs
    rotating.close()


def test_check_values_differ_by_kind_and_key() -> None:
    values = {keys.check_value(kind, key) for kind in KeyKind for key in (OTHER, make.LINK_KEY)}
    assert len(values) == 6
    assert {len(value) for value in values} == {32}


def test_an_upgrade_records_matching_keys(unchecked: Database) -> None:
    upgrade(unchecked)
    assert set(_recorded_keys(unchecked)) == set(KeyKind)
    check_schema(unchecked)
    with unchecked.transaction() as session:
        assert subscribers.find(session, make.id_of("reader-1@example.org")) is not None


@pytest.mark.parametrize("kind", [KeyKind.IDENTITY, KeyKind.SERVER])
def test_an_upgrade_refuses_a_key_that_contradicts_the_data(
    unchecked: Database, database_url: str, kind: KeyKind
) -> None:
    other = make.database(database_url, **WRONG[kind])
    with pytest.raises(KeyCheckError) as error:
        upgrade(other)
    assert str(error.value).startswith(f"{keys.SETTINGS[kind]} ")
    assert _recorded_keys(unchecked) == {}
    other.close()


@pytest.mark.parametrize("kind", KeyKind)
def test_an_upgrade_refuses_a_key_that_differs_from_the_recorded_one(
    database: Database, database_url: str, kind: KeyKind
) -> None:
    before = _recorded_keys(database)
    other = make.database(database_url, **WRONG[kind])
    with pytest.raises(KeyCheckError):
        upgrade(other)
    assert _recorded_keys(database) == before
    other.close()


@pytest.mark.parametrize(("mismatches", "accepted"), [(2, True), (4, False)])
def test_the_identity_key_must_match_most_addresses(
    unchecked: Database, mismatches: int, accepted: bool
) -> None:
    """A minority of rows written with a wrong key does not make the right key wrong."""
    with Session(unchecked.engine) as session, session.begin():
        ids = (
            select(SubscriberRow.subscriber_id)
            .order_by(SubscriberRow.subscriber_id)
            .limit(mismatches)
        )
        session.execute(
            update(SubscriberRow)
            .where(SubscriberRow.subscriber_id.in_(session.scalars(ids).all()))
            .values(email=literal("x") + SubscriberRow.email)
        )
    if accepted:
        upgrade(unchecked)
        check_schema(unchecked)
        return
    with pytest.raises(KeyCheckError, match="IDENTITY_KEY"):
        upgrade(unchecked)


@pytest.mark.parametrize(("mismatches", "accepted"), [(2, True), (4, False)])
def test_the_server_key_must_match_most_seals(
    unchecked: Database, mismatches: int, accepted: bool
) -> None:
    with Session(unchecked.engine) as session, session.begin():
        ids = (
            select(SubscriberRow.subscriber_id)
            .order_by(SubscriberRow.subscriber_id)
            .limit(mismatches)
        )
        session.execute(
            update(LedgerRow)
            .where(LedgerRow.subscriber_id.in_(session.scalars(ids).all()))
            .values(hash=bytes(32))
        )
    if accepted:
        upgrade(unchecked)
        check_schema(unchecked)
        return
    with pytest.raises(KeyCheckError, match="SERVER_KEYS"):
        upgrade(unchecked)
