"""Fixtures: a durable PostgreSQL that a test may break, and how long the long tests take."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from preference_center.store.upgrade import upgrade
from tests.support import make, postgres
from tests.support.audience_checks import TOPIC


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


def prepare(url: str) -> None:
    database = make.database(url)
    upgrade(database)
    with database.transaction() as session:
        make.topic(session, TOPIC, policy="opt_out")
    database.close()
