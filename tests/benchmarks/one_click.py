"""One-click unsubscribes, on 64 connections, of known subscribers, each with a new link.

After every run, the ledger rows, the outbox rows, the changed subscriptions and what the roll-ups
have grown by are counted. There must be as many of each as answers 200, or the benchmark fails.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice
from statistics import median

from tests.benchmarks import databases, load, peers, people
from tests.benchmarks.load import Answers
from tests.benchmarks.measure import medians, sized
from tests.benchmarks.options import Options
from tests.benchmarks.people import People
from tests.benchmarks.result import Result
from tests.benchmarks.serving import Served, served

FEW_PEOPLE = 10_000  # The small database whose waits are compared with those of the large one.
BURST, BURST_SECONDS, BURST_CONNECTIONS = 20_000, 5, 256
MAX_P99 = 25.0  # milliseconds
_GO, _LOOP = "Go, one UPDATE", "durable single inserts in Python"
_SPARE = 20_000  # subscribers that only the Go peer changes
_FIRST = 320  # requests of the first run, which finds out how many fit into `seconds`
# With 5 transactions a client instead of 100, pgbench reaches a third of its rate: each client
# first connects, and prepares its statements.
_PGBENCH = 100 * load.CONNECTIONS
_COUNTS = """
SELECT (SELECT count(*) FROM ledger WHERE recorded_at >= '{0}'),
    (SELECT count(*) FROM outbox WHERE created_at >= '{0}'),
    (SELECT count(*) FROM subscriptions WHERE updated_at >= '{0}' AND status = 'unsubscribed'),
    (SELECT coalesce(sum(count), 0) FROM ledger_counts)
"""


def run(options: Options) -> Iterator[Result]:
    for engine in options.engines:
        with ExitStack() as stack:
            url = stack.enter_context(databases.opened(engine))
            people.fill(url, options.people)
            product = stack.enter_context(served(url, options))
            endpoint = _Endpoint(product, People(options.people, _SPARE))
            name = f"one-click, {engine}"
            yield from _rates(name, endpoint, options)
            yield from _waits(name, endpoint, engine, options)
            # The last one, since requests that it leaves unanswered may still be recorded.
            yield _burst(name, endpoint)


@dataclass
class _Endpoint:
    """The one-click endpoint of a running `serve`, and the subscribers left to unsubscribe."""

    served: Served
    people: People

    def rate(self, count: int) -> float:
        """Unsubscribe `count` subscribers as fast as possible and return the rate per second."""
        return self.counted(count, self.served.unsubscribe).rate

    def at(self, rate: float, count: int, connections: int = load.CONNECTIONS) -> Answers:
        """Unsubscribe `count` subscribers at a constant rate per second."""
        base = self.served.base_url
        return self.counted(
            count, lambda paths: load.unsubscribe_at(base, paths, rate, connections)
        )

    def counted(self, count: int, send: Callable[[list[str]], Answers]) -> Answers:
        """Send unsubscribes, and raise unless those answered 200 are what the database holds.

        A request without an answer may have been recorded too.
        """
        paths, since = people.paths(self.people.take(count)), datetime.now(UTC)
        *_, rolled_up = _recorded(self.served.database_url, since)
        answers = send(paths)
        found = _recorded(self.served.database_url, since, rolled_up)
        most = count - answers.refused
        if len(set(found)) > 1 or not answers.unsubscribed <= found[0] <= most:
            raise RuntimeError(
                f"{answers.unsubscribed} unsubscribes were answered 200, but there are "
                "{} ledger rows, {} outbox rows, {} changed subscriptions and {} roll-ups".format(
                    *found
                )
            )
        return answers


def _recorded(url: str, since: datetime, rolled_up: int = 0) -> tuple[int, ...]:
    """Return what was recorded; the roll-ups have no time, so `rolled_up` of before is deducted."""
    connection = databases.connect(url)
    text = since.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    *rows, total = connection.execute(_COUNTS.format(text)).fetchone()
    connection.close()
    return *rows, int(total) - rolled_up


@dataclass(frozen=True)
class _Peer:
    """A peer, the ratio to reach beside it, and what measures its rate for a number of requests."""

    name: str
    target: float
    rate: Callable[[int], float]
    first: int = _FIRST


def _rates(name: str, endpoint: _Endpoint, options: Options) -> Iterator[Result]:
    """Yield the rate beside that of each peer, and the same per second of CPU time."""
    with ExitStack() as stack:
        go = _go(endpoint.served.database_url, stack)
        compared = list(_peers(endpoint, go, options))
        measures = [(endpoint.rate, _FIRST), *((peer.rate, peer.first) for peer in compared)]
        # pgbench divides the requests among its clients.
        step = load.CONNECTIONS
        each = (sized(one, options.seconds, first, step) for one, first in measures)
        rate, *limits = medians(options.rounds, *each)
    for peer, limit in zip(compared, limits, strict=True):
        yield Result(name, rate, peer.name, limit, peer.target)
    if go is not None:
        work = f"{name}, per CPU-second of application and database"
        ours, limit = median(endpoint.served.rates_per_cpu), median(go.rates_per_cpu)
        yield Result(work, ours, _GO, limit, 0)


def _go(url: str, stack: ExitStack) -> Served | None:
    """Return a running Go peer, if there can be one."""
    if not databases.is_postgresql(url) or not peers.go_is_installed():
        return None
    return stack.enter_context(peers.go_server(url))


def _peers(endpoint: _Endpoint, go: Served | None, options: Options) -> Iterator[_Peer]:
    url, take = endpoint.served.database_url, endpoint.people.take
    if not databases.is_postgresql(url):
        yield _Peer(_LOOP, 1.0, lambda count: peers.durable_inserts(url, take(count)))
    elif peers.pgbench_is_installed():
        yield _Peer("pgbench", 1.0, lambda count: peers.pgbench(url, take(count)), _PGBENCH)
    if go is not None:
        spare = cycle(people.paths(range(options.people - _SPARE, options.people)))
        yield _Peer(_GO, 0.7, lambda count: go.unsubscribe(list(islice(spare, count))).rate)


def _burst(name: str, endpoint: _Endpoint) -> Result:
    answers = endpoint.at(BURST / BURST_SECONDS, BURST, BURST_CONNECTIONS)
    work = f"{name}, a burst of {BURST:,} in {BURST_SECONDS} s: answered 200"
    return Result(work, answers.unsubscribed, "–", BURST, 1.0, unit="")


def _waits(name: str, endpoint: _Endpoint, engine: str, options: Options) -> Iterator[Result]:
    """Yield the p99 at half of the reached rate, and beside that of a database of few people."""
    rate = median(endpoint.served.rates) / 2
    count = min(int(rate * options.seconds), FEW_PEOPLE // (options.rounds + 1))
    with databases.opened(engine) as url:
        people.fill(url, FEW_PEOPLE)
        with served(url, options) as small:
            endpoints = _Endpoint(small, People(FEW_PEOPLE)), endpoint
            for each in endpoints:  # so that both are warm
                each.at(rate, count)
            limit, p99 = medians(
                options.rounds, *(partial(_p99, each, rate, count) for each in endpoints)
            )
    work = f"{name}, p99 at half of the rate"
    yield Result(work, p99, "–", MAX_P99, 1.0, at_least=False, unit="ms")
    work, beside = f"{work}, {options.people:,} people", f"{FEW_PEOPLE:,} people"
    yield Result(work, p99, beside, limit, 1.3, at_least=False, unit="ms")


def _p99(endpoint: _Endpoint, rate: float, count: int) -> float:
    """Return the p99 of the waits at a constant rate, in milliseconds."""
    answers = endpoint.at(rate, count)
    if answers.unsubscribed < count:
        raise RuntimeError(f"only {answers.unsubscribed} of {count} unsubscribes were answered 200")
    return 1000 * answers.percentile(0.99)
