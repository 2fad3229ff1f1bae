"""Read and write many rows of one table in one statement, on both engines.

PostgreSQL gets each column as one binary array, which costs the client a third of `executemany`.
SQLite runs one prepared statement per row. So does Citus if rows may exist: it sends each statement
to the one server with the row, and a statement with arrays to every part of the table.
SQLAlchemy's own statements would take longer to build than the database takes to run them.
"""

from collections.abc import Callable, Collection, Sequence
from functools import cache, lru_cache
from typing import Any, cast

from sqlalchemy import Dialect, Table
from sqlalchemy.orm import Session

from preference_center.store import citus, set_sql
from preference_center.store.pipelines import Statement, fetch_all
from preference_center.store.tables import Base, Utc
from preference_center.store.tables.base import Word

Rows = Sequence[tuple[Any, ...]]
_Converter = Callable[[Any], Any] | None  # None leaves a value as it is.


def select(session: Session, table: type[Base], keys: Collection[Any]) -> list[tuple[Any, ...]]:
    """Return the rows whose first column is one of `keys`, in its order, with all columns."""
    (rows,) = select_each(session, (table,), keys)
    return rows


def select_each(
    session: Session,
    tables: Sequence[type[Base]],
    keys: Collection[Any],
    *,
    lock_first: bool = False,
) -> list[list[tuple[Any, ...]]]:
    """Return what `select` returns for each table, in one round trip.

    `lock_first` locks the rows of the first table until the transaction ends, before the others
    are read; Citus refuses it.
    """
    locks = ("FOR UPDATE" if lock_first else "", *[""] * (len(tables) - 1))
    statements = [
        _select(session, table, set_sql.columns_of(table), keys, lock)
        for table, lock in zip(tables, locks, strict=True)
    ]
    found = fetch_all(session.connection(), statements)
    all_readers = [_readers(table, session.get_bind().dialect) for table in tables]
    return [
        [_converted(row, readers) for row in rows]
        for rows, readers in zip(found, all_readers, strict=True)
    ]


def existing(session: Session, table: type[Base], keys: Collection[Any]) -> set[Any]:
    """Return which of `keys` exist in the first column of a table."""
    names = set_sql.columns_of(table)[:1]
    (rows,) = fetch_all(session.connection(), [_select(session, table, names, keys, "")])
    readers = _readers(table, session.get_bind().dialect)
    read = dict(readers).get(0)
    return {key if read is None else read(key) for (key,) in rows}


def insert(session: Session, table: type[Base], rows: Rows, conflict: str = "") -> None:
    """Insert rows, with all columns of the table in their order.

    `conflict` is an ON CONFLICT clause; if it updates, no two rows may have the same key.
    """
    if rows:
        mark = _mark(session) if conflict or _is_sqlite(session) else ""
        _execute(
            session,
            table,
            set_sql.insert_text(table, mark, conflict),
            set_sql.columns_of(table),
            rows,
        )


def insert_new(session: Session, table: type[Base], rows: Rows) -> set[Any]:
    """Insert the rows whose key, the first column, does not exist yet; return their keys."""
    key = set_sql.columns_of(table)[0]
    if not rows:
        return set()
    if _is_sqlite(session):
        # SQLite has no RETURNING for many rows, and one writer: nothing changes in between.
        known = existing(session, table, [row[0] for row in rows])
        new = [row for row in rows if row[0] not in known]
        insert(session, table, new)
        return {row[0] for row in new}
    statement = set_sql.insert_text(table, "", f"ON CONFLICT DO NOTHING RETURNING {key}")
    found = _execute(session, table, statement, set_sql.columns_of(table), rows)
    return {each for (each,) in found}


def upsert(session: Session, table: type[Base], rows: Rows) -> None:
    """Insert rows, or update those whose primary key exists; no two may have the same key."""
    insert(session, table, rows, set_sql.overwriting(table))


def add_counts(session: Session, table: type[Base], rows: Rows) -> None:
    """Insert counts, the last column, or add them to the counts with the same keys."""
    insert(session, table, rows, set_sql.adding(table))


def update(session: Session, table: type[Base], rows: Rows) -> None:
    """Update all columns of existing rows; the first column is the primary key."""
    if rows:
        key, *others = set_sql.columns_of(table)
        statement, names = set_sql.update_text(table, _mark(session)), (*others, key)
        _execute(session, table, statement, names, [(*row[1:], row[0]) for row in rows])


def delete(session: Session, table: type[Base], keys: tuple[str, ...], rows: Rows) -> None:
    """Delete the rows with these keys."""
    if rows:
        _execute(session, table, set_sql.delete_text(table, _mark(session), keys), keys, rows)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _mark(session: Session) -> str:
    """Return the mark of a parameter in statements that run once per row, "" for arrays."""
    if _is_sqlite(session):
        return "?"
    return "%b" if citus.is_distributed(session) else ""


def _execute(
    session: Session, table: type[Base], statement: str, names: tuple[str, ...], rows: Rows
) -> Any:
    """Run a statement once with an array per column, or for each row."""
    connection, columns = session.connection(), zip(*rows, strict=True)
    if set_sql.ARRAY in statement:
        types = set_sql.array_types(table, names)
        written = tuple(kind.array(column) for kind, column in zip(types, columns, strict=True))
        return connection.exec_driver_sql(statement, written)
    converters = _converters(table, names, connection.dialect)
    converted = [
        column if convert is None else [convert(value) for value in column]
        for column, convert in zip(columns, converters, strict=True)
    ]
    values = list(zip(*converted, strict=True))
    if connection.dialect.name == "sqlite":
        return connection.exec_driver_sql(statement, values)
    return citus.run_each(connection, statement, values)


def _select(
    session: Session, table: type[Base], names: tuple[str, ...], keys: Collection[Any], lock: str
) -> Statement:
    dialect = session.get_bind().dialect
    if dialect.name == "sqlite":
        (convert,) = _converters(table, names[:1], dialect)
        plain = tuple(keys) if convert is None else tuple(convert(key) for key in keys)
        marks = ", ".join("?" * len(plain))
        return set_sql.select_text(table, names, f"IN ({marks})", ""), plain
    (kind,) = set_sql.array_types(table, names[:1])
    return set_sql.select_text(table, names, "= ANY(%b)", lock), (kind.array(keys),)


@cache
def _converters(
    table: type[Base], names: tuple[str, ...], dialect: Dialect
) -> tuple[_Converter, ...]:
    """Return for each column the function that converts its values for the driver."""
    types = [cast(Table, table.__table__).columns[name].type for name in names]
    if dialect.name == "sqlite":
        found = [each.dialect_impl(dialect).bind_processor(dialect) for each in types]
        # The rows of a batch repeat a few times and words, which are slow to convert.
        return tuple(
            lru_cache(convert) if isinstance(each, Utc | Word) else convert
            for each, convert in zip(types, found, strict=True)
        )
    return tuple(_plain if isinstance(each, Word) else None for each in types)


@cache
def _readers(table: type[Base], dialect: Dialect) -> list[tuple[int, Callable[[Any], Any]]]:
    """Return the columns whose values are to be converted, each with the function.

    psycopg returns all types but enums as they are needed.
    """
    types = [cast(Table, table.__table__).columns[name].type for name in set_sql.columns_of(table)]
    if dialect.name == "sqlite":
        found = [each.dialect_impl(dialect).result_processor(dialect, None) for each in types]
    else:
        found = [each.vocabulary if isinstance(each, Word) else None for each in types]
    return [(number, each) for number, each in enumerate(found) if each is not None]


def _converted(row: Any, readers: list[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(row)
    for number, read in readers:
        values[number] = read(values[number])
    return tuple(values)


def _plain(word: str | None) -> str | None:
    return None if word is None else str.__str__(word)  # The driver does not know enums.
