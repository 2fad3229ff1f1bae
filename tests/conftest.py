"""Fixtures: a fresh database on both engines, and the application on it."""

import os
import shutil
import signal
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from preference_center import create_app
from preference_center.store import Database, keys
from preference_center.store.tables import Base
from preference_center.store.upgrade import upgrade
from tests.support import citus, make, postgres
from tests.support.speed import compiled_routes as compiled_routes
from tests.support.speed import fast_engines as fast_engines
from tests.support.speed import rare_collections as rare_collections

# The folder, the fixtures and the parameters of a test say that it needs more than Python. Tests
# that start processes or take seconds are marked where they are.
_INTEGRATION = Path(__file__).parent / "integration"
_STATEMENTS = [Path(__file__).parent / "unit" / name for name in ("core", "store")]
_SERVERS = {"postgres_url", "own_postgres_url", "server", "served"}
_ENGINES = {"postgresql", "distributed", "nginx"}

MAX_DELETED_BYTES = 2**20


def pytest_xdist_auto_num_workers() -> int:
    """Return one process more than there are cores: many tests wait for servers."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Mark tests that need more than Python as `integration`; drop what is not to run.

    Those are `faults` unless -m names it, and repeats of a case on PostgreSQL.
    """
    for item in items:
        if _needs_more_than_python(item):
            item.add_marker(pytest.mark.integration)
    yield  # -k and -m choose here.
    dropped = set(_repeats(items))
    if "faults" not in config.getoption("markexpr"):
        dropped |= {item for item in items if item.get_closest_marker("faults")}
    config.hook.pytest_deselected(items=list(dropped))
    items[:] = [item for item in items if item not in dropped]


def _repeats(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the cases of a test on PostgreSQL after its first, where one case is enough.

    All cases of the tests of `core` and `store` run on both engines, and those of tests that
    choose the engine themselves or are marked `every_engine`. Of a file marked `pages`, one case is
    enough.
    """
    seen: set[str] = set()
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or callspec.params.get("database_url") != "postgresql":
            continue
        chosen = any("database_url" in mark.args[0] for mark in item.iter_markers("parametrize"))
        if chosen or item.get_closest_marker("every_engine") or _has_statements(item.path):
            continue
        test = item.nodeid.partition("::" if item.get_closest_marker("pages") else "[")[0]
        if test in seen:
            yield item
        seen.add(test)


def _has_statements(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in _STATEMENTS)


def _needs_more_than_python(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec is not None else ()
    return (
        item.path.is_relative_to(_INTEGRATION)
        or not _SERVERS.isdisjoint(getattr(item, "fixturenames", ()))
        or any(isinstance(value, str) and value in _ENGINES for value in values)
    )


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated, empty SQLite file."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    database = make.database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Yield a migrated PostgreSQL database; distributed, if `TEST_CITUS_URL` names it."""
    with nullcontext(citus.URL) if citus.URL else postgres.server() as url:
        database = make.database(url, long_statements=True)
        upgrade(database, distribute=citus.URL is not None)
        database.close()
        yield url


@pytest.fixture(scope="session")
def own_postgres_url() -> Iterator[str]:
    """Yield a migrated database on a server that a test may stop and configure."""
    with postgres.server(own=True) as url:
        database = make.database(url, long_statements=True)
        upgrade(database)
        database.close()
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of an empty database with all tables, on each engine in turn.

    A test may ask for `distributed`: a PostgreSQL that looks like a Citus cluster, or is one.
    """
    if request.param == "sqlite":
        path = tmp_path / "test.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    url: str = request.getfixturevalue("postgres_url")
    _empty(request.getfixturevalue("emptied"))
    with nullcontext() if request.param == "postgresql" else citus.imitated(url):
        yield url


@pytest.fixture(scope="session")
def emptied(postgres_url: str) -> Iterator[Database]:
    """Yield the database that tests share, with a connection that empties it before each."""
    database = make.database(postgres_url)
    yield database
    database.close()


def _empty(database: Database) -> None:
    with Session(database.engine) as session, session.begin():
        session.execute(text(_emptying(session)))
        for kind, values in database.given_keys.items():
            keys.add(session, kind, values, make.NOW)


def _emptying(session: Session) -> str:
    """Return what empties all tables: DELETE takes 3 ms for few rows, TRUNCATE 40 ms for any."""
    tables = [table.name for table in Base.metadata.sorted_tables]
    sizes = " + ".join(f"pg_relation_size('{table}')" for table in tables)
    if citus.URL or session.scalar(text(f"SELECT {sizes}")) > MAX_DELETED_BYTES:
        return f"TRUNCATE {', '.join(tables)}"
    return "; ".join(f"DELETE FROM {table}" for table in reversed(tables))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Yield an empty database on each engine in turn."""
    database = make.database(database_url, connections=8)
    yield database
    database.close()


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    """Yield the application on each engine, its clock at `make.NOW`."""
    app = create_app(make.settings(database_url=database_url), clock=lambda: make.NOW)
    yield app
    app.extensions["preference_center"].database.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client that keeps no cookies."""
    return app.test_client(use_cookies=False)


@pytest.fixture
def sigint() -> Iterator[None]:
    """Let Python, and the processes that it starts, not ignore SIGINT as a shell's jobs may."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
