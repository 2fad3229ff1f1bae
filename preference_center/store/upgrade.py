"""Bring a database to this version's tables, and refuse to work on any other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from preference_center.store import keys
from preference_center.store.engine import Database, KeyCheckError, SchemaError, map_db_errors
from preference_center.util.clock import utc_now

_LOCK = 7_165_117  # any number that no other program of this database takes


def upgrade(database: Database, revision: str = "head") -> None:
    """Create or migrate the tables, and record the check values of the database's keys.

    Keys that are not on record yet are first verified against the data. Two upgrades at once wait
    for each other. Raise SchemaError where a newer version than this one has been at work, and
    KeyCheckError where a key is not the database's own; nothing is changed then.
    """
    with map_db_errors(), _migrating(database) as connection:
        config = _config()
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise SchemaError("The database was made by a newer version than this one.") from error
        if revision == "head":
            with Session(connection) as session:
                _record_keys(session, database.given_keys)


def _record_keys(session: Session, given: keys.Keys) -> None:
    """Record the keys of each kind that has none on record, unless a kind does not fit."""
    known = keys.known(session)
    new = {kind: values for kind, values in given.items() if values and kind not in known}
    on_record = {kind: values for kind, values in given.items() if kind in known}
    if problems := [*keys.problems(known, on_record), *keys.misfits(session, new)]:
        raise KeyCheckError("; ".join(problems))
    for kind, values in new.items():
        keys.add(session, kind, values, utc_now())
    session.flush()


def check_schema(database: Database) -> None:
    """Raise SchemaError unless the database has exactly the tables of this version.

    Raise KeyCheckError unless it is used with the keys that `database` was given.
    """
    with database.asked(), database.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise SchemaError("The database has no tables yet. Run: preference-center upgrade")
    if found != wanted:
        raise SchemaError(
            f"The database is at revision {found}, this version needs {wanted}. "
            "Run: preference-center upgrade (with the newer of the two versions)"
        )
    with database.reading():
        pass  # a session checks the keys as it begins


@contextmanager
def _migrating(database: Database) -> Iterator[Connection]:
    """Yield a connection in a transaction; SQLite's foreign keys are off from before it began.

    Alembic rebuilds a table of SQLite to alter it, and with foreign keys on that deletes the
    rows of other tables which point at it.
    """
    engine = database.engine.execution_options(begin="BEGIN IMMEDIATE")
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if database.is_sqlite:
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                if not database.is_sqlite:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                yield connection
        finally:
            if database.is_sqlite:
                driver.execute("PRAGMA foreign_keys=ON")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
