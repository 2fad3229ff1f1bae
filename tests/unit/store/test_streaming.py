"""Rows of a large statement are read in batches, and the block can be left at any time."""

import pytest
from sqlalchemy import Integer, cast, func, insert, literal, select
from sqlalchemy.exc import DBAPIError

from preference_center.store import Database, UnavailableError
from preference_center.store.streaming import BATCH_SIZE, streamed
from preference_center.store.tables import QuarantineRow
from tests.support import make

COUNT = 2 * BATCH_SIZE + 1
NUMBERED = select(cast(QuarantineRow.why, Integer)).order_by(QuarantineRow.digest)


@pytest.fixture(autouse=True)
def _rows(database: Database) -> None:
    rows = [
        {"digest": number.to_bytes(32), "received_at": make.NOW, "why": f"{number}", "raw": b""}
        for number in range(COUNT)
    ]
    with database.transaction() as session:
        session.execute(insert(QuarantineRow), rows)


def test_all_rows_arrive_in_batches(database: Database) -> None:
    with database.reading() as session, streamed(session, NUMBERED) as batches:
        read = list(batches)
    assert list(map(len, read)) == [BATCH_SIZE, BATCH_SIZE, 1]
    assert [number for batch in read for (number,) in batch] == list(range(COUNT))


def test_parameters_and_text_arrive_as_they_are(database: Database) -> None:
    chosen = select(QuarantineRow.why, literal("100 %é")).where(
        QuarantineRow.why == "7", QuarantineRow.received_at <= make.NOW
    )
    with database.reading() as session, streamed(session, chosen) as batches:
        assert [tuple(row) for batch in batches for row in batch] == [("7", "100 %é")]


def test_no_rows_are_no_batches(database: Database) -> None:
    nothing = NUMBERED.where(QuarantineRow.why == "")
    with database.reading() as session, streamed(session, nothing) as batches:
        assert list(batches) == []


def test_the_database_can_be_used_after_a_block_was_left_early(database: Database) -> None:
    with database.reading() as session, streamed(session, NUMBERED) as batches:
        next(batches)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(QuarantineRow)) == COUNT


def _fail_in_the_block(database: Database) -> None:
    with database.reading() as session, streamed(session, NUMBERED) as batches:
        next(batches)
        raise OSError("disk")


def test_an_exception_in_the_block_ends_the_session(database: Database) -> None:
    with pytest.raises(OSError, match="disk"):
        _fail_in_the_block(database)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(QuarantineRow)) == COUNT


def _run_a_broken_statement(database: Database) -> None:
    broken = select(func.no_such_function(QuarantineRow.why))
    with database.reading() as session, streamed(session, broken) as batches:
        list(batches)


def test_an_error_of_the_database_is_reported_like_any_other(database: Database) -> None:
    with pytest.raises((DBAPIError, UnavailableError), match="no_such_function"):
        _run_a_broken_statement(database)
