"""Binary arrays: PostgreSQL reads the values that were written."""

from collections.abc import Iterator
from datetime import UTC

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from preference_center.store import arrays, postgres
from preference_center.store.arrays import ArrayType

# PostgreSQL's texts contain no NUL.
VALUES: dict[ArrayType, SearchStrategy[object]] = {
    arrays.BOOL: st.booleans(),
    arrays.BYTEA: st.binary(max_size=40),
    arrays.INT8: st.integers(-(2**63), 2**63 - 1),
    arrays.TEXT: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    arrays.DATE: st.dates(),
    arrays.TIMESTAMPTZ: st.datetimes(timezones=st.just(UTC)),
    arrays.UUID: st.uuids(),
}


@pytest.fixture(scope="module")
def connection(postgres_url: str) -> Iterator[psycopg.Connection]:
    url = postgres_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with postgres.connect(5, url, **postgres.arguments(5)) as opened:
        yield opened


@pytest.mark.parametrize("kind", arrays.TYPES, ids=lambda kind: kind.name)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_postgresql_reads_what_was_written(
    connection: psycopg.Connection, kind: ArrayType, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.none() | VALUES[kind], min_size=1))
    written = kind.array(values)
    statement = f"SELECT * FROM unnest(%b::{kind.name}[])"
    assert [value for (value,) in connection.execute(statement, (written,))] == values


def test_an_array_has_the_type_that_it_is_written_for(connection: psycopg.Connection) -> None:
    written = arrays.UUID.array([])
    (found,) = connection.execute("SELECT pg_typeof(%b)::text", (written,)).fetchone() or ("",)
    assert found == "uuid[]"
