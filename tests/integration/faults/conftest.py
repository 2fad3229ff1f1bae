"""A durable PostgreSQL that a test may break, and what the tests wait for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from preference_center.core.processes import wait_until_empty
from preference_center.store.upgrade import upgrade
from tests.support import make, postgres, processes
from tests.support.audience_checks import TOPIC

REGISTERED = "SELECT 1 FROM serving_processes"
MAX_REPLAY = 300.0  # seconds


@pytest.fixture
def seconds() -> float:
    """Return how long a test of random faults runs: FAULT_SECONDS, or 30."""
    return float(os.environ.get("FAULT_SECONDS", "30"))


@pytest.fixture
def url() -> Iterator[str]:
    """Yield a durable database on its own server, with an opt-out topic."""
    with postgres.server(durable=True, own=True) as url:
        prepare(url)
        yield url


@pytest.fixture
def instance() -> Iterator[postgres.Instance]:
    """Yield a durable server that a test may kill, with an opt-out topic."""
    with postgres.instance(postgres.installed_binaries()) as instance:
        instance.create()
        instance.start()
        prepare(instance.url)
        yield instance


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


def wait_until_registered(url: str, count: int = 1) -> None:
    """Return once this many processes with a spool are registered."""
    processes.wait_for(
        lambda: len(postgres.query(url, REGISTERED)) == count, f"{count} processes with a spool"
    )


def wait_for_replay(url: str) -> None:
    """Return once every registered process has reported an empty spool."""
    database = make.database(url)
    try:
        wait_until_empty(database, timeout=MAX_REPLAY)
    finally:
        database.close()


def prepare(url: str) -> None:
    """Create the tables and an opt-out topic."""
    database = make.database(url)
    upgrade(database)
    with database.transaction() as session:
        make.topic(session, TOPIC, policy="opt_out")
    database.close()
