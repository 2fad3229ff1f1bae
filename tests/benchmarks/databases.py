"""New databases with the product's tables and one topic, and plain SQL on them."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from tests.benchmarks.options import POSTGRESQL
from tests.support import make, postgres, processes

TOPIC = "weekly-news"
INBOUND_DOMAIN = "inbound.example.org"

# Commands that an operator would call; the tables hold nothing but the topic afterwards.
_PREPARATIONS = (("upgrade",), ("topics", "add", TOPIC))


@contextmanager
def opened(engine: str) -> Iterator[str]:
    """Yield the URL of a new database of an engine, durable, with the tables and the topic."""
    if engine == POSTGRESQL:
        with postgres.server(durable=True, own=True) as url:
            _prepare(url)
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="preference-center-") as folder:
        url = f"sqlite:///{Path(folder) / 'benchmark.db'}"
        _prepare(url)
        yield url


def _prepare(url: str) -> None:
    for arguments in _PREPARATIONS:
        done = processes.run(settings(url), *arguments)
        if done.returncode:
            raise RuntimeError(done.stderr.decode())


def settings(url: str, **changes: str) -> dict[str, str]:
    """Return the settings of an installation that confirms changes and receives email."""
    return make.environment(
        DATABASE_URL=url,
        SMTP_URL="smtp://localhost:9",
        MAIL_FROM="letters@example.org",
        INBOUND_DOMAIN=INBOUND_DOMAIN,
        **changes,
    )


def is_postgresql(url: str) -> bool:
    return url.startswith("postgresql")


def libpq_url(url: str) -> str:
    """Return the URL of a PostgreSQL database as psql, pgbench and other programs read it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def sqlite_path(url: str) -> str:
    """Return the path of a SQLite database."""
    return make_url(url).database or ""


def connect(url: str) -> Any:
    """Return a connection of psycopg or of sqlite3; with both, `execute` returns a cursor.

    SQLite is as durable as the product's: WAL, `synchronous=FULL`, foreign keys on.
    """
    if is_postgresql(url):
        return psycopg.connect(libpq_url(url), autocommit=True, options="-c timezone=UTC")
    connection = sqlite3.connect(sqlite_path(url), isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def execute(url: str, *statements: str) -> None:
    """Run statements, each in its own transaction."""
    connection = connect(url)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def settle(url: str) -> None:
    """Update the planner's statistics and write everything to disk, so that no run pays for it."""
    if is_postgresql(url):
        execute(url, "VACUUM ANALYZE", "CHECKPOINT")
    else:
        execute(url, "ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)")


def server_process(url: str) -> int:
    """Return the id of the main process of a local PostgreSQL server."""
    with connect(url) as connection:
        (backend,) = connection.execute("SELECT pg_backend_pid()").fetchone()
        stat = Path(f"/proc/{backend}/stat").read_text("ascii")
    return int(stat.rpartition(")")[2].split()[1])
