"""How long a one-click unsubscribe takes, beside an answer that asks nothing of the database.

    python -m tests.benchmarks.one_click [--postgres] [--rate N] [--seconds S]

A real `serve` process; eight clients on kept-alive connections post the stops of new people,
first at a steady rate (the load one process is sized for: requirement M9), each timed from the
moment it was due, so that waiting in line counts; then as fast as they can. The peer in the same
run is GET /healthz.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from preference_center.store.upgrade import upgrade
from tests.support import make, postgres
from tests.support.processes import serving

CLIENTS = 8
SIZED_FOR = 50  # stops a second and process: four million a day


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="else SQLite")
    parser.add_argument("--rate", type=float, default=SIZED_FOR, help="stops a second")
    parser.add_argument("--seconds", type=float, default=10)
    chosen = parser.parse_args()
    with ExitStack() as stack:
        if chosen.postgres:
            url = stack.enter_context(postgres.server(durable=True))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{Path(folder) / 'bench.db'}"
        database = make.database(url)
        upgrade(database)
        with database.transaction() as session:
            make.topic(session)
        database.close()
        base = stack.enter_context(serving(make.environment(DATABASE_URL=url)))
        for rate in (chosen.rate, None):
            _report("GET /healthz", rate, _load(base, _look, chosen.seconds, rate))
            _report("POST one-click", rate, _load(base, _stop, chosen.seconds, rate))


def _look() -> tuple[str, str]:
    return "GET", "/healthz"


def _stop() -> tuple[str, str]:
    links = make.minter().mint(uuid4(), "weekly-news", "bench")
    return "POST", urlsplit(links.unsubscribe_url).path


def _load(
    base: str, make_request: Callable[[], tuple[str, str]], seconds: float, rate: float | None
) -> list[float]:
    """Return how long each request took, in seconds; without a rate each client sends at once."""
    host = urlsplit(base).netloc
    begin = time.perf_counter()

    def client(number: int) -> list[float]:
        connection, took = HTTPConnection(host), list[float]()
        for turn in itertools.count():
            due = begin + (number + turn * CLIENTS) / rate if rate else time.perf_counter()
            if due > begin + seconds:
                return took
            time.sleep(max(0.0, due - time.perf_counter()))
            _ask(connection, *make_request())
            took.append(time.perf_counter() - due)
        raise AssertionError

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [each for times in pool.map(client, range(CLIENTS)) for each in times]


def _ask(connection: HTTPConnection, method: str, path: str) -> None:
    body = b"List-Unsubscribe=One-Click" if method == "POST" else None
    connection.request(method, path, body=body)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        sys.exit(f"{method}: {answer.status}")


def _report(name: str, rate: float | None, took: list[float]) -> None:
    ordered = sorted(took)
    median, p99 = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    load = f"at {rate:.0f}/s" if rate else f"{len(ordered) / (sum(ordered) / CLIENTS):.0f}/s"
    sys.stdout.write(f"{name:14} {load:>10}   median {median:6.1f} ms   p99 {p99:6.1f} ms\n")


if __name__ == "__main__":
    main()
