"""Read the rows of a large statement as the driver returns them, in constant memory.

On PostgreSQL, rows arrive while the server looks for the next ones, and its plan may use parallel
workers. A server-side cursor offers neither.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.orm import Session

from preference_center.store.pipelines import driver_errors

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
    from psycopg import capabilities  # psycopg is optional.

    compiled = statement.compile(dialect=connection.dialect)
    size = BATCH_SIZE if capabilities.has_stream_chunked() else 1
    cursor = connection.connection.cursor()
    rows = cursor.stream(str(compiled), compiled.params, binary=True, size=size)
    # `closing`: the rows must not hold the connection when the session ends.
    with driver_errors(connection), closing(rows):
        while batch := list(islice(rows, BATCH_SIZE)):
            yield batch
