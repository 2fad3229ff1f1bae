"""The statements of `sets`, as text: with a mark for each value, or with an array per column."""

from functools import cache, lru_cache

from sqlalchemy import Boolean, Date, Integer, LargeBinary, Uuid

from preference_center.store import arrays
from preference_center.store.arrays import ArrayType
from preference_center.store.tables import Base, Utc

ARRAY = "unnest"  # The function that returns the rows of arrays.
_ARRAY_TYPES: dict[type, ArrayType] = {
    Boolean: arrays.BOOL,
    Date: arrays.DATE,
    Integer: arrays.INT8,
    LargeBinary: arrays.BYTEA,
    Utc: arrays.TIMESTAMPTZ,
    Uuid: arrays.UUID,
}


@cache
def columns_of(table: type[Base]) -> tuple[str, ...]:
    """Return the names of a table's columns, in their order."""
    return tuple(table.__table__.columns.keys())


@lru_cache
def select_text(table: type[Base], names: tuple[str, ...], condition: str, lock: str) -> str:
    key = columns_of(table)[0]
    where = ("FROM", table.__tablename__, "WHERE", key, condition, "ORDER BY", key, lock)
    return " ".join(("SELECT", ", ".join(names), *where))


@cache
def insert_text(table: type[Base], mark: str, conflict: str) -> str:
    names = columns_of(table)
    into = f"{table.__tablename__} ({', '.join(names)})"
    if mark:
        rows = f"VALUES ({', '.join([mark] * len(names))})"
    else:
        rows = " ".join(("SELECT * FROM", _arrays(table, names, "new")))
    return " ".join(("INSERT INTO", into, rows, conflict))


@cache
def overwriting(table: type[Base]) -> str:
    keys = [column.name for column in table.__table__.primary_key]
    assigned = (f"{each} = excluded.{each}" for each in columns_of(table) if each not in keys)
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(assigned)}"


@cache
def adding(table: type[Base]) -> str:
    keys = ", ".join(column.name for column in table.__table__.primary_key)
    added = f"{table.__tablename__}.count + excluded.count"
    return f"ON CONFLICT ({keys}) DO UPDATE SET count = {added}"


@cache
def update_text(table: type[Base], mark: str) -> str:
    """Return a statement whose parameters are the columns, the first one last."""
    name, (key, *others) = table.__tablename__, columns_of(table)
    if mark:
        assigned = ", ".join(f"{each} = {mark}" for each in others)
        return " ".join(("UPDATE", name, "SET", assigned, "WHERE", key, "=", mark))
    assigned = ", ".join(f"{each} = new.{each}" for each in others)
    source = _arrays(table, (*others, key), "new")
    return " ".join(
        ("UPDATE", name, "SET", assigned, "FROM", source, "WHERE", f"{name}.{key} = new.{key}")
    )


@cache
def delete_text(table: type[Base], mark: str, keys: tuple[str, ...]) -> str:
    name = table.__tablename__
    if mark:
        matches = (f"{key} = {mark}" for key in keys)
        return " ".join(("DELETE FROM", name, "WHERE", " AND ".join(matches)))
    matches = (f"{name}.{key} = old.{key}" for key in keys)
    source = _arrays(table, keys, "old")
    return " ".join(("DELETE FROM", name, "USING", source, "WHERE", " AND ".join(matches)))


def _arrays(table: type[Base], names: tuple[str, ...], alias: str) -> str:
    """Return a FROM clause of the rows of an array parameter for each column."""
    columns = (f"%b::{kind.name}[]" for kind in array_types(table, names))
    return f"{ARRAY}({', '.join(columns)}) AS {alias} ({', '.join(names)})"


@cache
def array_types(table: type[Base], names: tuple[str, ...]) -> tuple[ArrayType, ...]:
    types = (type(table.__table__.columns[name].type) for name in names)
    return tuple(_ARRAY_TYPES.get(each, arrays.TEXT) for each in types)
