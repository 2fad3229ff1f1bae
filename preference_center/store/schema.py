"""Check that a database has this version's tables. Does not import Alembic."""

from sqlalchemy import Connection, inspect, text

from preference_center.store.engine import Database, SchemaError

HEAD = "0002"  # The newest revision in `migrations/versions`.


def check_schema(database: Database) -> None:
    """Raise SchemaError unless the database has exactly this version's tables.

    Raises KeyCheckError if the database is used with other keys than those of `database`.
    """
    with database.asked(), database.engine.connect() as connection:
        found = _revision(connection)
    if found is None:
        raise SchemaError("The database has no tables yet. Run: preference-center upgrade")
    if found != HEAD:
        raise SchemaError(
            f"The database is at revision {found}, this version needs {HEAD}. "
            "Run: preference-center upgrade, with the version that is newer"
        )
    with database.reading():
        pass  # Every session checks the keys when it begins.


def _revision(connection: Connection) -> str | None:
    """Return the revision that Alembic has recorded, or None if the database is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
