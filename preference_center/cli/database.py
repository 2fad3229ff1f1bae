"""Open the database for a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from preference_center.cli.common import settings_or_exit
from preference_center.core.vocab import KeyKind
from preference_center.settings.settings import Settings, read_settings
from preference_center.store import Database
from preference_center.store.schema import check_schema


@contextmanager
def opened_database(
    *uses: KeyKind, long_statements: bool = True, connections: int = 4
) -> Iterator[tuple[Settings, Database]]:
    """Yield the settings and the database, which has this version's tables.

    `uses` are the kinds of keys that the command needs. Keys of other kinds may be missing, and
    the database does not check them. Exits 2 if settings are missing or invalid. With
    `long_statements` a statement may take an hour instead of 5 seconds; use it for commands that
    process much data, not for those that answer requests or run permanently.
    """
    settings = settings_or_exit(partial(read_settings, uses=uses))
    database = connect(settings, long_statements=long_statements, connections=connections)
    try:
        check_schema(database)
        yield settings, database
    finally:
        database.close()


def connect(settings: Settings, *, long_statements: bool = True, connections: int = 4) -> Database:
    """Return the database of these settings, with the keys in them."""
    return Database(
        settings.database_url,
        settings.server_keys,
        identity_key=settings.identity_key or None,
        link_keys=settings.link_keys,
        connections=connections,
        long_statements=long_statements,
    )
