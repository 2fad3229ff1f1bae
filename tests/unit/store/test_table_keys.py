"""Every key of a table with subscriber data includes the subscriber id."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Index, Table, UniqueConstraint, inspect

from preference_center.store import Database
from preference_center.store.tables import Base

SUBSCRIBER_TABLES = [
    table for table in Base.metadata.sorted_tables if "subscriber_id" in table.columns
]


def _unique_keys(table: Table) -> list[set[str]]:
    constraints = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    unique: list[UniqueConstraint | Index] = [
        *constraints,
        *(index for index in table.indexes if index.unique),
    ]
    return [{column.name for column in key.columns} for key in (table.primary_key, *unique)]


def test_the_main_tables_have_a_subscriber_id() -> None:
    assert {"subscribers", "subscriptions", "ledger", "outbox"} <= {
        each.name for each in SUBSCRIBER_TABLES
    }


@pytest.mark.parametrize("table", SUBSCRIBER_TABLES, ids=lambda table: table.name)
def test_every_unique_key_includes_the_subscriber_id(table: Table) -> None:
    assert all("subscriber_id" in key for key in _unique_keys(table))


@pytest.mark.parametrize("table", SUBSCRIBER_TABLES, ids=lambda table: table.name)
def test_every_primary_key_starts_with_the_subscriber_id(table: Table) -> None:
    assert next(iter(table.primary_key.columns)).name == "subscriber_id"


def test_every_key_in_the_database_includes_the_subscriber_id(database: Database) -> None:
    inspector = inspect(database.engine)
    for table in SUBSCRIBER_TABLES:
        keys: list[Sequence[str | None]] = [
            inspector.get_pk_constraint(table.name)["constrained_columns"]
        ]
        keys += [
            index["column_names"] for index in inspector.get_indexes(table.name) if index["unique"]
        ]
        keys += [key["column_names"] for key in inspector.get_unique_constraints(table.name)]
        assert all("subscriber_id" in key for key in keys), table.name
