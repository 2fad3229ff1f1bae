"""Both engines write values as the text that Python writes."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Date, Integer, LargeBinary, String, Uuid, literal, select
from sqlalchemy.types import TypeEngine

from preference_center.store import Database
from preference_center.store.streaming import streamed
from preference_center.store.tables import Utc
from preference_center.store.text_cells import as_text

AT = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
ID = UUID("0a0b0c0d-0e0f-4a1b-8c2d-00000000000a")


@pytest.mark.parametrize(
    ("value", "kept", "text"),
    [
        (AT, Utc(), "2026-11-22T14:05:00+00:00"),
        (AT.replace(microsecond=50), Utc(), "2026-11-22T14:05:00.000050+00:00"),
        (AT.replace(microsecond=500_000), Utc(), "2026-11-22T14:05:00.500000+00:00"),
        (AT.replace(year=1970, hour=0, microsecond=1), Utc(), "1970-11-22T00:05:00.000001+00:00"),
        (ID, Uuid(), str(ID)),
        (b"\0\xab", LargeBinary(), "00ab"),
        (date(2026, 1, 5), Date(), "2026-01-05"),
        (120, Integer(), "120"),
        ("é;'=1", String(), "é;'=1"),
        (None, String(), ""),
        (None, Utc(), ""),
        (None, Uuid(), ""),
    ],
)
def test_a_value_is_written_as_text(
    database: Database, value: Any, kept: TypeEngine[Any], text: str
) -> None:
    statement = select(literal(value, kept).label("cell"))
    with database.reading() as session, streamed(session, as_text(statement)) as batches:
        assert [tuple(row) for batch in batches for row in batch] == [(text,)]
