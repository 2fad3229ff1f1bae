"""`/metrics` of `serve` with several processes: any of them answers for all."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import postgres, processes
from tests.support.processes import Running
from tests.support.web_fixtures import environment
from tests.support.wire import FORM, RFC, Served, assert_unsubscribed, head, length, wire

PROCESSES = 2
REQUESTS = 40
TOKEN = "metrics-token-for-tests-6tR2wE9qA1sD"
AUTHORIZATION = f"Authorization: Bearer {TOKEN}\r\n".encode()
FOLDERS = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())


@pytest.fixture
def spool_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="spool-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(own_postgres_url: str, spool_dir: Path) -> Iterator[tuple[str, Running]]:
    postgres.forget_subscribers(own_postgres_url, "serving_processes")
    settings = environment(own_postgres_url) | {
        "PREFERENCE_CENTER_METRICS_TOKEN": TOKEN,
        "PREFERENCE_CENTER_SPOOL_DIR": str(spool_dir),
    }
    with processes.serving_process(settings, None, "--processes", str(PROCESSES)) as running:
        processes.wait_for(lambda: len(running[1].children) == PROCESSES, "the processes")
        yield running


def folders_of(process: Running) -> set[Path]:
    """Return the folder with files of these processes; other tests run servers, too."""
    files, children = FOLDERS.glob("preference-center-metrics-*/*.db"), process.children
    return {file.parent for file in files if int(file.stem.rpartition("_")[2]) in children}


def values(base_url: str) -> dict[str, Any]:
    """Return the values of the metrics without labels, and of one-clicks answered 200."""
    with wire(base_url) as connection:
        answer = connection.request(head("/metrics", AUTHORIZATION, method=b"GET"))
    assert answer.status == 200
    return {
        sample.name.removeprefix("preference_center_"): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
        if not sample.labels
        or sample.labels == {"endpoint": "one-click", "status": "200"}
        or sample.labels == {"outcome": "committed"}
    }


def unsubscribe(base_url: str, url: str, count: int = REQUESTS) -> None:
    for _ in range(count):
        with wire(base_url) as connection:
            path = Served(base_url, url).path
            assert_unsubscribed(connection.request(head(path, FORM, length(RFC)), RFC))


def wait_until_registered(base_url: str) -> None:
    def is_registered() -> bool:
        found = values(base_url)
        return found.get("spool_accepts") == 1 and found["serving_processes"] == PROCESSES

    processes.wait_for(is_registered, "registered processes")


def test_the_processes_are_summed_whichever_answers(
    server: tuple[str, Running], own_postgres_url: str
) -> None:
    base_url, _ = server
    wait_until_registered(base_url)
    unsubscribe(base_url, own_postgres_url)
    # A transaction is counted just after its requests are answered.
    processes.wait_for(
        lambda: values(base_url)["commit_batch_size_sum"] == REQUESTS, "all transactions"
    )
    for _ in range(10):
        found = values(base_url)
        assert found["requests_total"] == REQUESTS
        assert found["one_click_unsubscribes_total"] == REQUESTS
        assert found["commit_batch_size_sum"] == REQUESTS
        assert (found["serving_processes"], found["database_up"]) == (PROCESSES, 1)
        assert (found["spool_rows"], found["spool_accepts"]) == (0, 1)


def test_what_an_ended_process_has_counted_still_counts(
    server: tuple[str, Running], own_postgres_url: str
) -> None:
    base_url, process = server
    unsubscribe(base_url, own_postgres_url)
    before = process.children
    process.process.send_signal(signal.SIGHUP)
    processes.wait_for(
        lambda: len(process.children) == PROCESSES and not before & process.children,
        "new processes",
    )
    assert values(base_url)["requests_total"] == REQUESTS
    unsubscribe(base_url, own_postgres_url, 1)
    assert values(base_url)["requests_total"] == REQUESTS + 1


def test_the_spools_of_all_running_processes_are_summed(
    server: tuple[str, Running], own_postgres_url: str
) -> None:
    base_url, _ = server
    wait_until_registered(base_url)
    with postgres.stopped(own_postgres_url):
        unsubscribe(base_url, own_postgres_url, 10)
        start = time.monotonic()
        assert values(base_url)["database_up"] == 0
        assert time.monotonic() - start < 3
        processes.wait_for(lambda: values(base_url)["spool_rows"] == 10, "10 rows")
        assert "outbox_pending" not in values(base_url)
    processes.wait_for(lambda: values(base_url)["spool_rows"] == 0, "a replay")
    assert values(base_url)["database_up"] == 1


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_no_file_of_the_metrics_remains(own_postgres_url: str, signal_number: int) -> None:
    settings = environment(own_postgres_url)
    with processes.serving_process(settings, None, "--processes", "2") as (_, process):
        processes.wait_for(lambda: folders_of(process), "the folder")
        own = folders_of(process)
        process.process.send_signal(signal_number)
        processes.wait_for(lambda: not process.members, "the end of all processes")
        assert [each for each in own if each.exists()] == []
