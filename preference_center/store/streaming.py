"""Read the rows of a large statement as the driver returns them, in constant memory.

On PostgreSQL, rows arrive while the server looks for the next ones, and its plan may use parallel
workers. A server-side cursor offers neither.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

BATCH_SIZE = 1000  # rows

Batch = Sequence[Sequence[Any]]
AnySelect = Select[*tuple[Any, ...]]


@contextmanager
def streamed(session: Session, statement: AnySelect) -> Iterator[Iterator[Batch]]:
    """Yield an iterator over batches of rows. Until the block ends, run no other statement.

    If the block ends before the rows do, PostgreSQL may end the transaction.
    Values are what the driver returns: select text, numbers and bytes only.
    """
    session.flush()  # The statement sees the changes of its own session.
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        options = {"yield_per": BATCH_SIZE}
        with connection.execute(statement, execution_options=options) as result:
            yield result.partitions()
    else:
        with closing(_from_postgresql(connection, statement)) as batches:
            yield batches


def _from_postgresql(connection: Connection, statement: AnySelect) -> Generator[Batch, None, None]:
    from psycopg import Error, capabilities  # psycopg is optional.

    compiled = statement.compile(dialect=connection.dialect)
    size = BATCH_SIZE if capabilities.has_stream_chunked() else 1
    cursor = connection.connection.cursor()
    rows = cursor.stream(str(compiled), compiled.params, binary=True, size=size)
    try:
        with closing(rows):  # It must not hold the connection when the session ends.
            while batch := list(islice(rows, BATCH_SIZE)):
                yield batch
    except Error as error:
        raise DBAPIError.instance(
            None, None, error, Error, hide_parameters=True, dialect=connection.dialect
        ) from error
