"""Send statements to PostgreSQL without waiting for the answer to each one before the next.

A transaction then waits once for several answers. The server still runs the statements one after
the other, and each sees what other transactions have committed by then.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

Statement = tuple[str, tuple[Any, ...]]  # of the driver, with its parameters


@contextmanager
def pipeline(connection: Connection) -> Iterator[None]:
    """Send the block's statements at once. None of them may return rows.

    Their errors are raised when the block ends. On SQLite, each statement runs as usual.
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    with driver_errors(connection), driver.pipeline():
        yield


def fetch_all(
    connection: Connection, statements: Sequence[Statement]
) -> list[list[tuple[Any, ...]]]:
    """Send statements at once, and return the rows of each; on SQLite, run one after the other."""
    if connection.dialect.name == "sqlite":
        results = (connection.exec_driver_sql(*each) for each in statements)
        return [[tuple(row) for row in result] for result in results]
    driver: Any = connection.connection.driver_connection
    with pipeline(connection):
        cursors = [driver.execute(*each, binary=True) for each in statements]
    return [cursor.fetchall() for cursor in cursors]


@contextmanager
def driver_errors(connection: Connection) -> Iterator[None]:
    """Raise psycopg's errors as SQLAlchemy does, for a block that calls psycopg directly."""
    from psycopg import Error  # psycopg is optional.

    driver, dialect = connection.connection.driver_connection, connection.dialect
    try:
        yield
    except Error as error:
        lost = dialect.is_disconnect(error, driver, None)  # type: ignore[arg-type]
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None,
            None,
            error,
            Error,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=dialect,
        ) from error
