"""The ledger's hash chain: valid after normal use, broken by any alteration."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from preference_center.core import erasure, ledger, verification
from preference_center.core.vocab import KeyKind, Source
from preference_center.store import Database, keys
from preference_center.store.tables import (
    KeyCheck,
    LedgerDetail,
    LedgerRow,
    SubscriberRow,
    SuppressionRow,
    Wording,
    row_values,
)
from tests.support import make

ALTERED: dict[str, Any] = {
    "event": "subscribed",
    "scope": "all",
    "topic": "offers",
    "source": "cli",
    "campaign": "2026-48",
    "occurred_at": make.NOW - timedelta(microseconds=1),
    "recorded_at": datetime(2020, 1, 1, tzinfo=UTC),
    "wording": None,
    "digest": bytes(32),
    "hash": bytes(32),
}


def _problems(database: Database) -> list[str]:
    with database.reading() as session:
        return [problem for problem in verification.verify(session) if problem is not None]


def _three_rows(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, wording="Unsubscribe", campaign="2026-47")
        make.unsubscribe(session, slug=None)


def test_a_valid_chain_is_reported_once_per_subscriber(database: Database) -> None:
    _three_rows(database)
    with database.transaction() as session:
        make.subscriber(session, "bob@example.org")
    with database.reading() as session:
        assert list(verification.verify(session)) == [None, None]


@pytest.mark.parametrize("column", sorted(ALTERED))
def test_an_altered_column_is_detected(database: Database, column: str) -> None:
    _three_rows(database)
    with database.transaction() as session:
        second = update(LedgerRow).where(LedgerRow.seq == 2)
        session.execute(second.values({column: ALTERED[column]}))
    (problem,) = _problems(database)
    assert problem.startswith(f"{make.id_of()}: ")
    assert "row 2 w" in problem


@pytest.mark.parametrize("column", ["salt", "before", "after"])
def test_altered_details_are_detected(database: Database, column: str) -> None:
    _three_rows(database)
    altered: Any = bytes(16) if column == "salt" else "{}"
    with database.transaction() as session:
        second = update(LedgerDetail).where(LedgerDetail.seq == 2)
        session.execute(second.values({column: altered}))
    assert _problems(database) == [f"{make.id_of()}: the details of row 2 were altered"]


@pytest.mark.parametrize(
    ("seq", "problem"),
    [
        (1, "row 1 is missing"),
        (2, "row 2 is missing"),
        (3, "it ends at row 2, but 3 were written"),
    ],
)
def test_a_removed_row_is_detected(database: Database, seq: int, problem: str) -> None:
    _three_rows(database)
    with database.transaction() as session:
        session.execute(delete(LedgerRow).where(LedgerRow.seq == seq))
    assert _problems(database) == [f"{make.id_of()}: {problem}"]


def test_removed_details_are_detected_unless_the_subscriber_was_erased(database: Database) -> None:
    _three_rows(database)
    with database.transaction() as session:
        session.execute(delete(LedgerDetail).where(LedgerDetail.seq == 2))
    assert _problems(database) == [f"{make.id_of()}: the details of row 2 are missing"]
    with database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    assert _problems(database) == []


def test_a_row_moved_to_another_subscriber_is_detected(database: Database) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, "ada@example.org")
        make.unsubscribe(session, "bob@example.org")
    with database.transaction() as session:
        ada, bob = make.id_of("ada@example.org"), make.id_of("bob@example.org")
        (row,) = session.scalars(select(LedgerRow).where(LedgerRow.subscriber_id == bob))
        moved = {**row_values(row), "subscriber_id": ada}
        session.execute(delete(LedgerRow).where(LedgerRow.subscriber_id.in_([ada, bob])))
        session.execute(insert(LedgerRow).values(moved))
    assert len(_problems(database)) == 2


def test_a_changed_head_is_detected(database: Database) -> None:
    _three_rows(database)
    with database.transaction() as session:
        session.execute(update(SubscriberRow).values(head=bytes(32)))
    assert _problems(database) == [f"{make.id_of()}: it ends at row 3, but 3 were written"]


def test_rows_stay_valid_when_the_key_is_rotated(database: Database, database_url: str) -> None:
    _three_rows(database)
    newer = "a-newer-key-of-32-characters-or-more"
    rotated = Database(database_url, (make.SERVER_KEY, newer))
    with rotated.transaction() as session:
        keys.add(session, KeyKind.SERVER, [newer], make.NOW)
    with rotated.transaction() as session:
        make.unsubscribe(session, slug="offers")
    assert _problems(rotated) == []
    rotated.close()
    assert len(_problems(database)) == 1


def test_a_row_sealed_with_another_key_is_detected(database: Database, database_url: str) -> None:
    forged = "a-key-that-the-settings-do-not-have-1"
    forger = Database(database_url, (forged,))
    with database.transaction() as session:
        keys.add(session, KeyKind.SERVER, [forged], make.NOW)
    with forger.transaction() as session:
        make.unsubscribe(session)
    with database.transaction() as session:
        session.execute(
            delete(KeyCheck).where(KeyCheck.check_value == keys.check_value(KeyKind.SERVER, forged))
        )
    forger.close()
    assert len(_problems(database)) == 1


def test_a_wording_is_stored_once_for_all_subscribers(database: Database) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, "ada@example.org", wording="Unsubscribe")
        make.unsubscribe(session, "bob@example.org", wording="Unsubscribe")
    with database.transaction() as session:
        make.unsubscribe(session, "eve@example.org", wording="Unsubscribe")
        assert [wording.text for wording in session.query(Wording)] == ["Unsubscribe"]


def test_details_hold_the_state_before_and_after(database: Database) -> None:
    with database.transaction() as session:
        unsubscribe = make.unsubscribe(session, slug=None)
    with database.reading() as session:
        (change,) = ledger.load(session, make.id_of(), unsubscribe.last_seq)
        since = make.NOW.isoformat()
        assert change.before == {"all": None}
        assert change.after == {"all": {"since": since, "source": "page"}}


def test_the_state_agrees_with_the_newest_row(database: Database) -> None:
    _three_rows(database)
    with database.reading() as session:
        entries = ledger.load(session, make.id_of(), 1)
        newest = next(ledger.newest_first(entries, None))
        assert session.query(SuppressionRow).one().since == newest.occurred_at
