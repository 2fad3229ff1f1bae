"""An import that runs in several processes: it is interrupted, or one of them is killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import make, postgres, processes
from tests.support.processes import Running

ROWS = 60_000
STOP_SECONDS = 30.0


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    rows = "\n".join(f"reader{number}@example.org" for number in range(ROWS))
    path.write_text(f"email\n{rows}\n", "ascii")
    return path


@pytest.fixture
def importing(postgres_url: str, people: Path, sigint: None) -> Iterator[Running]:
    """Yield an import that has committed a part of its file, and is still running."""
    postgres.forget_subscribers(postgres_url)
    settings = make.environment(DATABASE_URL=postgres_url)
    options = ("--topic", "weekly-news", "--status", "subscribed", "--create-topics")
    with processes.running(settings, "import", str(people), *options) as command:
        processes.wait_for(lambda: count(postgres_url) > 2000, "the first rows")
        yield command


def count(url: str) -> int:
    return int(postgres.query(url, "SELECT count(*) FROM subscribers")[0][0])


def test_an_interrupted_import_leaves_no_process(importing: Running, postgres_url: str) -> None:
    os.killpg(importing.process.pid, signal.SIGINT)
    assert importing.process.wait(STOP_SECONDS) == 1
    assert importing.output.splitlines()[-1] == "Aborted!"
    processes.wait_for(lambda: not importing.members, "the end of all processes", STOP_SECONDS)
    assert count(postgres_url) < ROWS


def test_an_import_fails_if_one_of_its_processes_is_killed(importing: Running) -> None:
    os.kill(min(importing.children), signal.SIGKILL)
    assert importing.process.wait(STOP_SECONDS) == 3
    assert "a process of this command was killed" in importing.output
    processes.wait_for(lambda: not importing.members, "the end of all processes", STOP_SECONDS)


def test_no_process_outlives_a_killed_import(importing: Running) -> None:
    importing.process.kill()
    processes.wait_for(lambda: not importing.members, "the end of all processes", STOP_SECONDS)
