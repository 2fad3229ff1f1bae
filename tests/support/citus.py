"""A Citus cluster, or a PostgreSQL that looks like one, and a check of its statements."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from preference_center.store.distribute import KEY
from preference_center.store.tables import Base
from tests.support import postgres

URL = os.environ.get("TEST_CITUS_URL")  # A database of a coordinator, with the extension.
SUBSCRIBER_TABLES = [each.name for each in Base.metadata.sorted_tables if KEY in each.columns]

_OF_SUBSCRIBERS = re.compile(rf"\b({'|'.join(SUBSCRIBER_TABLES)})\b")
_LOCK = re.compile(r"\bFOR (UPDATE|NO KEY UPDATE|SHARE|KEY SHARE)\b")
_ONE = re.compile(rf"\b{KEY} = (%\(\w+\)s|%[bs])")
_JOIN = re.compile(
    rf"\bJOIN ({'|'.join(SUBSCRIBER_TABLES)})\b(.*?)(?=\bJOIN\b|\bWHERE\b|$)", re.DOTALL
)


@contextmanager
def imitated(url: str) -> Iterator[None]:
    """Let a PostgreSQL look like a Citus cluster with distributed tables, if it is none."""
    if URL:
        yield
        return
    postgres.execute(url, "CREATE TABLE pg_dist_partition (logicalrelid regclass)")
    try:
        postgres.execute(url, "INSERT INTO pg_dist_partition VALUES ('subscribers')")
        yield
    finally:
        postgres.execute(url, "DROP TABLE pg_dist_partition")


@contextmanager
def watched(engine: Engine) -> Iterator[list[str]]:
    """Yield the statements that are sent to the database."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def problem(statement: str) -> str | None:
    """Return why a statement cannot be sent to a Citus cluster, or None."""
    if not _OF_SUBSCRIBERS.search(statement):
        return None
    if _LOCK.search(statement) and not _ONE.search(statement):
        return "it locks the rows of several subscribers"
    for table, condition in _JOIN.findall(statement):
        if KEY not in condition:
            return f"it joins {table} without {KEY}"
    is_scan = statement.lstrip().startswith("SELECT")
    return None if is_scan or KEY in statement else f"it changes rows without {KEY}"
