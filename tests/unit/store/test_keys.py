"""What is written for a person is found by that person (design 16)."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Index, Table, UniqueConstraint, inspect

from preference_center.store import Database
from preference_center.store.tables import Base

OF_PEOPLE = [table for table in Base.metadata.sorted_tables if "subscriber_id" in table.columns]


def _unique_keys(table: Table) -> list[set[str]]:
    constraints = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    unique: list[UniqueConstraint | Index] = [
        *constraints,
        *(index for index in table.indexes if index.unique),
    ]
    return [{column.name for column in key.columns} for key in (table.primary_key, *unique)]


def test_there_are_tables_of_people() -> None:
    assert {"subscribers", "subscriptions", "ledger", "outbox"} <= {each.name for each in OF_PEOPLE}


@pytest.mark.parametrize("table", OF_PEOPLE, ids=lambda table: table.name)
def test_every_unique_key_says_who(table: Table) -> None:
    assert all("subscriber_id" in key for key in _unique_keys(table))


@pytest.mark.parametrize("table", OF_PEOPLE, ids=lambda table: table.name)
def test_every_primary_key_says_who_first(table: Table) -> None:
    assert next(iter(table.primary_key.columns)).name == "subscriber_id"


def test_the_databases_own_keys_say_who(database: Database) -> None:
    seen = inspect(database.engine)
    for table in OF_PEOPLE:
        keys: list[Sequence[str | None]] = [
            seen.get_pk_constraint(table.name)["constrained_columns"]
        ]
        keys += [index["column_names"] for index in seen.get_indexes(table.name) if index["unique"]]
        keys += [key["column_names"] for key in seen.get_unique_constraints(table.name)]
        assert all("subscriber_id" in key for key in keys), table.name
