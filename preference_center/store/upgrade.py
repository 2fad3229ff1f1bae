"""Create the tables of a database, or bring them to this version, with Alembic."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from preference_center.store import citus, keys
from preference_center.store.distribute import distribute as distribute_tables
from preference_center.store.engine import Database, KeyCheckError, SchemaError, map_db_errors
from preference_center.util.clock import utc_now

_LOCK = 7_165_117  # An arbitrary advisory lock that no other program takes on this database.


def upgrade(database: Database, revision: str = "head", *, distribute: bool = False) -> None:
    """Create or migrate the tables, and record the check values of the database's keys.

    `distribute` also divides them among the servers of a Citus cluster. Keys that are not on record
    yet are first checked against the stored data. Concurrent upgrades wait for each other. Raises
    SchemaError if the database was made by a newer version or cannot be distributed, and
    KeyCheckError if a key does not belong to it; the database is unchanged then.
    """
    with map_db_errors(), _migrating(database) as connection:
        config = _config()
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise SchemaError(
                "This version does not know the tables of the database: it was made by a newer "
                "version, or by one from before the first release."
            ) from error
        if revision == "head":
            with Session(connection) as session:
                _record_keys(session, database.given_keys)
        if distribute:
            distribute_tables(connection)


def _record_keys(session: Session, given: keys.Keys) -> None:
    """Record the keys of each kind that has none on record; raise KeyCheckError on a mismatch."""
    known = keys.known(session)
    new = {kind: values for kind, values in given.items() if values and kind not in known}
    on_record = {kind: values for kind, values in given.items() if kind in known}
    if problems := [*keys.problems(known, on_record), *keys.misfits(session, new)]:
        raise KeyCheckError("; ".join(problems))
    for kind, values in new.items():
        keys.add(session, kind, values, utc_now())
    session.flush()


@contextmanager
def _migrating(database: Database) -> Iterator[Connection]:
    """Yield a connection in a transaction, with SQLite's foreign keys off.

    To alter a table of SQLite, Alembic rebuilds it. With foreign keys on, that would delete the
    rows of other tables that refer to it.
    """
    engine = database.engine.execution_options(begin="BEGIN IMMEDIATE")
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if database.is_sqlite:
            driver.execute("PRAGMA foreign_keys=OFF")  # Has no effect within a transaction.
        try:
            with connection.begin():
                if not database.is_sqlite:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                if citus.is_distributed(connection):
                    citus.use_servers_in_sequence(connection)
                yield connection
        finally:
            if database.is_sqlite:
                driver.execute("PRAGMA foreign_keys=ON")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
