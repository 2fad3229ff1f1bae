"""Measure how long a one-click unsubscribe takes, compared with a request without a database.

    python -m tests.benchmarks.one_click [--postgres] [--rate N] [--seconds S]

Eight clients with persistent connections post unsubscribes of new people to a `serve` process:
first at a steady rate, which is the load that one process is sized for (requirement M9), then as
fast as they can. Each request is timed from the moment it was due, so that queueing counts. For
comparison, the same is done with GET /healthz.
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
RATE = 50  # unsubscribes per second and process: four million per day


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="use PostgreSQL, not SQLite")
    parser.add_argument("--rate", type=float, default=RATE, help="unsubscribes per second")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with ExitStack() as stack:
        if options.postgres:
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
        for rate in (options.rate, None):
            report("GET /healthz", rate, load(base, health_check, options.seconds, rate))
            report("POST one-click", rate, load(base, one_click, options.seconds, rate))


def health_check() -> tuple[str, str]:
    return "GET", "/healthz"


def one_click() -> tuple[str, str]:
    links = make.minter().mint(uuid4(), "weekly-news", "bench")
    return "POST", urlsplit(links.unsubscribe_url).path


def load(
    base: str, make_request: Callable[[], tuple[str, str]], seconds: float, rate: float | None
) -> list[float]:
    """Return how long each request took, in seconds; without a rate, clients do not wait."""
    host = urlsplit(base).netloc
    start = time.perf_counter()

    def client(number: int) -> list[float]:
        connection, took = HTTPConnection(host), list[float]()
        for turn in itertools.count():
            due = start + (number + turn * CLIENTS) / rate if rate else time.perf_counter()
            if due > start + seconds:
                return took
            time.sleep(max(0.0, due - time.perf_counter()))
            send(connection, *make_request())
            took.append(time.perf_counter() - due)
        raise AssertionError

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [each for times in pool.map(client, range(CLIENTS)) for each in times]


def send(connection: HTTPConnection, method: str, path: str) -> None:
    body = b"List-Unsubscribe=One-Click" if method == "POST" else None
    connection.request(method, path, body=body)
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        sys.exit(f"{method}: {response.status}")


def report(name: str, rate: float | None, took: list[float]) -> None:
    ordered = sorted(took)
    median, p99 = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    load = f"at {rate:.0f}/s" if rate else f"{len(ordered) / (sum(ordered) / CLIENTS):.0f}/s"
    sys.stdout.write(f"{name:14} {load:>10}   median {median:6.1f} ms   p99 {p99:6.1f} ms\n")


if __name__ == "__main__":
    main()
