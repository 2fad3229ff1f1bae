"""`import` of new subscribers, beside loading the finished rows into the same tables.

The finished rows are those that the command has written: the tables are copied to files, emptied,
and loaded again with all their indexes and constraints. `COPY` loads them into PostgreSQL, and
`executemany`, from lists in memory, into SQLite.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks import databases, people
from tests.benchmarks.measure import command, medians, seconds_of
from tests.benchmarks.options import POSTGRESQL, Options
from tests.benchmarks.result import Result

TABLES = ("subscribers", "subscriptions", "ledger", "ledger_details", "events")
MAX_RATIO = 4
MIN_RATE = 15_000  # rows per second, on PostgreSQL


def run(options: Options) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="preference-center-") as name:
        folder = Path(name)
        people.write_addresses(folder / "people.csv", options.size)
        for engine in options.engines:
            with databases.opened(engine) as url:
                yield from _beside(engine, url, folder, options)


def _beside(engine: str, url: str, folder: Path, options: Options) -> Iterator[Result]:
    arguments = ("import", str(folder / "people.csv"), "--topic", databases.TOPIC)
    load = _Load(url, folder)

    def product() -> float:
        load.empty()
        status = ("--status", "subscribed")
        seconds = seconds_of(lambda: command(databases.settings(url), *arguments, *status))
        _check(url, options.size)
        load.save()
        return seconds

    def limit() -> float:
        load.empty()
        seconds = load.seconds()
        _check(url, options.size)
        return seconds

    took, limited = medians(options.rounds, product, limit)
    work = f"import of {options.size:,} rows, {engine}"
    beside = "COPY of the rows" if engine == POSTGRESQL else "executemany of the rows"
    yield Result(work, took, beside, limited, MAX_RATIO, at_least=False, unit="s")
    if engine == POSTGRESQL:
        yield Result(work, options.size / took, "–", MIN_RATE, 1.0)


def _check(url: str, size: int) -> None:
    connection = databases.connect(url)
    for table in TABLES:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        if count != size:
            raise RuntimeError(f"{size} rows were loaded, but {table} has {count}")
    connection.close()


class _Load:
    """Saves the rows of the tables, and loads them."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder
        self._rows: dict[str, list[Any]] = {}  # of SQLite

    def empty(self) -> None:
        """Delete all rows about subscribers."""
        if databases.is_postgresql(self._url):
            databases.execute(self._url, "TRUNCATE subscribers, events CASCADE")
        else:
            deletions = (f"DELETE FROM {table}" for table in reversed(TABLES))
            databases.execute(self._url, *deletions, "VACUUM")
        databases.settle(self._url)

    def save(self) -> None:
        """Keep the rows of the tables: PostgreSQL's in files, SQLite's in memory."""
        if databases.is_postgresql(self._url):
            self._psql(r"\copy {0} TO '{1}'")
            return
        connection = databases.connect(self._url)
        for table in TABLES:
            self._rows[table] = connection.execute(f"SELECT * FROM {table}").fetchall()
        connection.close()

    def seconds(self) -> float:
        """Load the saved rows, and return how long it takes."""
        if databases.is_postgresql(self._url):
            return seconds_of(partial(self._psql, r"\copy {0} FROM '{1}'"))
        return seconds_of(self._executemany)

    def _psql(self, copy: str) -> None:
        copies = [copy.format(table, self._folder / f"{table}.txt") for table in TABLES]
        commands = [word for each in copies for word in ("-c", each)]
        psql = ["psql", "-q", "-X", "-1", "-v", "ON_ERROR_STOP=1"]
        subprocess.run([*psql, *commands, databases.libpq_url(self._url)], check=True)

    def _executemany(self) -> None:
        connection = databases.connect(self._url)
        connection.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            values = ", ".join("?" * len(self._rows[table][0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({values})", self._rows[table])
        connection.execute("COMMIT")
        connection.close()
