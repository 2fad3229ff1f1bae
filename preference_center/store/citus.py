"""Whether the tables are distributed among the servers of a Citus cluster, and what differs then.

`store.distribute` distributes them. Citus refuses a statement that locks the rows of several
subscribers, so `store.queries` then locks one after the other.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

# Citus records its tables here. Without the extension there is no such table.
HAS_CITUS = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
_IS_DISTRIBUTED = (
    "SELECT to_regclass('subscribers') IN (SELECT logicalrelid FROM pg_dist_partition)"
)
# In parallel, Citus lets only one transaction at a time change several subscribers, and refuses to
# change a reference table in a transaction that has read or written several.
_IN_SEQUENCE = text("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'")
_NAME = "is_distributed"
_AT_ONCE = 250  # psycopg waits for the answers to so many statements, with one deadline.


def note(connection: Any, record: Any) -> None:
    """Note for a new connection of psycopg whether the tables are distributed."""
    try:
        (has_citus,) = connection.execute(HAS_CITUS).fetchone()
        found = has_citus and connection.execute(_IS_DISTRIBUTED).fetchone()
        connection.rollback()
    except Exception:
        connection.close()
        raise
    record.info[_NAME] = found == (True,)


def is_distributed(session: Session | Connection) -> bool:
    """Return True if the tables were distributed when the connection was opened."""
    connection = session.connection() if isinstance(session, Session) else session
    return bool(connection.info.get(_NAME))


def run_each(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement that names one subscriber for each row, in their order."""
    for first in range(0, len(rows), _AT_ONCE):
        connection.exec_driver_sql(statement, list(rows[first : first + _AT_ONCE]))


def use_servers_in_sequence(connection: Session | Connection) -> None:
    """Let each statement of this transaction use one server after the other, not all at once."""
    connection.execute(_IN_SEQUENCE)
