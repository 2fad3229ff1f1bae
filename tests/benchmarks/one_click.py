"""How long a one-click stop takes, beside an answer that asks nothing of the database.

    python -m tests.benchmarks.one_click [--postgres] [--people N] [--seconds S]

A real `serve` process; eight clients on kept-alive connections, each post a new person's stop.
The peer in the same run is GET /healthz.
"""

import argparse
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

from preference_center.store import Database
from preference_center.store.upgrade import upgrade
from tests import make, postgres
from tests.processes import serving

CLIENTS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="else SQLite")
    parser.add_argument("--seconds", type=float, default=10)
    chosen = parser.parse_args()
    with ExitStack() as stack:
        if chosen.postgres:
            url = stack.enter_context(postgres.server(durable=True))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{Path(folder) / 'bench.db'}"
        database = Database(url, (make.SERVER_KEY,))
        upgrade(database)
        with database.transaction() as session:
            make.topic(session)
        database.close()
        base = stack.enter_context(serving(make.environment(DATABASE_URL=url)))
        _report("GET /healthz", _load(base, lambda: ("GET", "/healthz"), chosen.seconds))
        _report("POST one-click", _load(base, _stop, chosen.seconds))


def _stop() -> tuple[str, str]:
    links = make.minter().mint(uuid4(), "weekly-news", "bench")
    return "POST", urlsplit(links.unsubscribe_url).path


def _load(base: str, make_request: Callable[[], tuple[str, str]], seconds: float) -> list[float]:
    host = urlsplit(base).netloc
    end = time.perf_counter() + seconds

    def client(_: int) -> list[float]:
        connection, took = HTTPConnection(host), []
        while time.perf_counter() < end:
            method, path = make_request()
            start = time.perf_counter()
            body = b"List-Unsubscribe=One-Click" if method == "POST" else None
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            answer.read()
            took.append(time.perf_counter() - start)
            if answer.status != 200:
                sys.exit(f"{method}: {answer.status}")
        return took

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [each for times in pool.map(client, range(CLIENTS)) for each in times]


def _report(name: str, took: list[float]) -> None:
    ordered = sorted(took)
    median, p99 = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    rate = len(ordered) / (sum(ordered) / CLIENTS)
    sys.stdout.write(f"{name:16} {rate:8.0f}/s   median {median:6.1f} ms   p99 {p99:6.1f} ms\n")


if __name__ == "__main__":
    main()
