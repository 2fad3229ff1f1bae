"""What the benchmarks share: the table, and the client that sends at a constant rate."""

import pkgutil
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from tests import benchmarks
from tests.benchmarks import load, table
from tests.benchmarks.__main__ import NAMES
from tests.benchmarks.measure import medians, sized
from tests.benchmarks.result import Result

SLOW = Result("import", 9.0, "COPY", 2.0, 4, at_least=False, unit="s")


@contextmanager
def answering(status: bytes, seconds: float = 0) -> Iterator[str]:
    """Yield the URL of a server that answers each connection's requests after some time."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(65_536):
                time.sleep(seconds)
                self.request.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield "http://127.0.0.1:{1}".format(*server.server_address)
        server.shutdown()
        thread.join()


def test_every_benchmark_has_a_name() -> None:
    modules = (each.name for each in pkgutil.iter_modules(benchmarks.__path__))
    found = {n for n in modules if hasattr(import_module(f"tests.benchmarks.{n}"), "run")}
    assert found == set(NAMES)


@pytest.mark.parametrize(
    ("rate", "at_least", "reached"),
    [(4, True, True), (3.9, True, False), (4, False, True), (4.1, False, False)],
)
def test_a_target_is_a_minimum_or_a_maximum(rate: float, at_least: bool, reached: bool) -> None:
    assert Result("work", rate, "limit", 1, 4, at_least=at_least).reached is reached


def test_a_row_begins_with_the_ratio() -> None:
    row = table.as_text([SLOW]).splitlines()[1]
    assert row.split() == ["4.50", "≤", "4", "no", "import", "9", "s", "COPY", "2", "s"]


def test_the_table_of_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "performance.md"
    path.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", "utf-8")
    table.write_into(path, table.as_markdown([SLOW], "command"))
    text = path.read_text("utf-8")
    assert text.startswith(f"before\n{table.BEGIN}\n\n`command`, ")
    assert "| 4.50 | ≤ 4 | no | import | 9 s | COPY | 2 s |" in text
    assert "old" not in text
    assert text.endswith(f"\n{table.END}\nafter\n")


def test_a_file_without_a_place_for_the_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.md"
    path.write_text(table.END + table.BEGIN, "utf-8")
    with pytest.raises(ValueError, match=r"other\.md has no lines"):
        table.write_into(path, "table")


def test_product_and_peer_are_measured_in_turn() -> None:
    order: list[str] = []
    values = iter([1, 10, 5, 20, 3, 90])

    def measure(name: str) -> float:
        order.append(name)
        return next(values)

    assert medians(3, lambda: measure("product"), lambda: measure("peer")) == [3, 20]
    assert order == ["product", "peer"] * 3


def test_a_run_lasts_for_the_seconds_that_were_asked_for() -> None:
    """The rate is not taken from a run shorter than half of that, unless `most` forbids more."""
    counts: list[int] = []

    def measure(count: int) -> float:
        counts.append(count)
        return 101.0

    sized(measure, 4, first=10, step=8)()
    sized(measure, 0.01, first=10)()
    sized(measure, 4, first=10, most=50)()
    assert counts == [10, 40, 160, 640, 400, 10, 10, 10, 40, 50]


def test_a_request_is_timed_from_when_it_was_due() -> None:
    with answering(b"200 OK", seconds=0.05) as url:
        answers = load.unsubscribe_at(url, ["/u/1"] * 6, rate=100, connections=1)
    assert answers.unsubscribed == 6
    assert answers.waits[-1] >= 0.05 * 6 - 5 / 100  # Five answers came before it.
    assert answers.percentile(0.99) == max(answers.waits)


def test_a_request_that_is_refused_is_not_an_unsubscribe() -> None:
    with answering(b"503 Service Unavailable") as url:
        answers = load.unsubscribe_at(url, ["/u/1"] * 3, rate=None, connections=2)
    assert (answers.unsubscribed, answers.refused) == (0, 3)


def test_a_request_that_waits_too_long_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MAX_WAIT", 0.2)
    with answering(b"200 OK", seconds=1) as url:
        answers = load.unsubscribe_at(url, ["/u/1"] * 3, rate=100, connections=2)
    assert (answers.unsubscribed, answers.refused) == (0, 0)
    assert answers.seconds < 0.9
