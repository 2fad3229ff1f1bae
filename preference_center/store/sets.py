"""Write many rows of one table in one statement, on both engines.

PostgreSQL gets each column as one binary array, which costs the client a third of `executemany`.
SQLite runs one prepared statement per row.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Boolean, Connection, Date, Dialect, Integer, LargeBinary, Table, Uuid
from sqlalchemy.orm import Session

from preference_center.store.tables import Base, Utc
from preference_center.store.tables.base import Word

Rows = Sequence[tuple[Any, ...]]

_ARRAY_TYPES: dict[type, str] = {
    Boolean: "bool",
    Date: "date",
    Integer: "int8",
    LargeBinary: "bytea",
    Utc: "timestamptz",
    Uuid: "uuid",
}


def insert(session: Session, table: type[Base], rows: Rows, conflict: str = "") -> None:
    """Insert rows, with all columns of the table in their order.

    `conflict` is an ON CONFLICT clause; if it updates, no two rows may have the same key.
    """
    if rows:
        _insert(session.connection(), table, rows, conflict)


def insert_new(session: Session, table: type[Base], rows: Rows) -> set[Any]:
    """Insert the rows whose key does not exist yet; return the first column of these.

    On SQLite, which has one writer, the caller has made sure that no row exists.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite" or not rows:
        insert(session, table, rows)
        return {row[0] for row in rows}
    first = columns_of(table)[0]
    clause = f"ON CONFLICT DO NOTHING RETURNING {first}"
    return {key for (key,) in _insert(connection, table, rows, clause)}


def upsert(session: Session, table: type[Base], rows: Rows) -> None:
    """Insert rows, or update those whose primary key exists; no two may have the same key."""
    insert(session, table, rows, _overwriting(table))


def update(
    session: Session, table: type[Base], keys: Sequence[str], values: Sequence[str], rows: Rows
) -> None:
    """Update columns of existing rows; each of `rows` holds the keys, then the values."""
    connection, name, names = session.connection(), table.__tablename__, (*keys, *values)
    if connection.dialect.name == "sqlite":
        assigned = ", ".join(f"{each} = ?{n}" for n, each in enumerate(values, len(keys) + 1))
        source, matches = "", _numbered(keys)
    else:
        assigned = ", ".join(f"{each} = new.{each}" for each in values)
        source, matches = (
            f"FROM {_arrays(table, names)} AS new ({', '.join(names)})",
            _joined(name, "new", keys),
        )
    if rows:
        statement = " ".join(("UPDATE", name, "SET", assigned, source, "WHERE", matches))
        _execute(connection, table, statement, names, rows)


def delete(session: Session, table: type[Base], keys: Sequence[str], rows: Rows) -> None:
    """Delete the rows with these keys."""
    connection, name = session.connection(), table.__tablename__
    if connection.dialect.name == "sqlite":
        source, matches = "", _numbered(keys)
    else:
        source, matches = (
            f"USING {_arrays(table, keys)} AS old ({', '.join(keys)})",
            _joined(name, "old", keys),
        )
    if rows:
        statement = " ".join(("DELETE FROM", name, source, "WHERE", matches))
        _execute(connection, table, statement, keys, rows)


@cache
def columns_of(table: type[Base]) -> tuple[str, ...]:
    """Return the names of a table's columns, in their order."""
    return tuple(table.__table__.columns.keys())


@cache
def _overwriting(table: type[Base]) -> str:
    keys = [column.name for column in table.__table__.primary_key]
    assigned = (f"{each} = excluded.{each}" for each in columns_of(table) if each not in keys)
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(assigned)}"


def _insert(connection: Connection, table: type[Base], rows: Rows, clause: str) -> Any:
    names = columns_of(table)
    into = f"{table.__tablename__} ({', '.join(names)})"
    if connection.dialect.name == "sqlite":
        parts = ("VALUES (", ", ".join("?" * len(names)), ")")
    else:
        parts = ("SELECT * FROM", _arrays(table, names), "AS new")
    statement = " ".join(("INSERT INTO", into, *parts, clause))
    return _execute(connection, table, statement, names, rows)


def _execute(
    connection: Connection, table: type[Base], statement: str, names: Sequence[str], rows: Rows
) -> Any:
    """Run a statement once with an array per column, or on SQLite for each row."""
    converters = _converters(table, tuple(names), connection.dialect)
    columns = [
        column if convert is None else [convert(value) for value in column]
        for column, convert in zip(map(list, zip(*rows, strict=True)), converters, strict=True)
    ]
    if connection.dialect.name == "sqlite":
        return connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))
    return connection.exec_driver_sql(statement, tuple(columns))


@cache
def _converters(
    table: type[Base], names: tuple[str, ...], dialect: Dialect
) -> list[Callable[[Any], Any] | None]:
    """Return for each column the function that converts its values for the driver, or None."""
    assert isinstance(table.__table__, Table)  # noqa: S101 (for the type checker)
    types = [table.__table__.columns[name].type for name in names]
    if dialect.name == "sqlite":
        return [each.dialect_impl(dialect).bind_processor(dialect) for each in types]
    return [_word_or_none if isinstance(each, Word) else None for each in types]


def _word_or_none(value: str | None) -> str | None:
    return None if value is None else str.__str__(value)  # The driver does not know enums.


def _arrays(table: type[Base], names: Sequence[str]) -> str:
    """Return the rows of a parameter for each column, a binary array, as a FROM clause."""
    types = (type(table.__table__.columns[name].type) for name in names)
    arrays = (f"%b::{_ARRAY_TYPES.get(each, 'text')}[]" for each in types)
    return f"unnest({', '.join(arrays)})"


def _numbered(keys: Sequence[str]) -> str:
    return " AND ".join(f"{key} = ?{number}" for number, key in enumerate(keys, 1))


def _joined(table: str, other: str, keys: Sequence[str]) -> str:
    return " AND ".join(f"{table}.{key} = {other}.{key}" for key in keys)
