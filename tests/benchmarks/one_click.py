"""One-click unsubscribes, on 64 connections, of known subscribers, each with a new link.

After every run, the ledger rows, the outbox rows and the changed subscriptions are counted. There
must be as many of each as answers 200, or the benchmark fails.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

from tests.benchmarks import databases, load, peers, people
from tests.benchmarks.load import Answers
from tests.benchmarks.measure import cpu_seconds, medians, sized
from tests.benchmarks.options import Options
from tests.benchmarks.people import People
from tests.benchmarks.result import Result
from tests.benchmarks.serving import Served, served

FEW_PEOPLE = 10_000  # The small database whose waits are compared with those of the large one.
BURST, BURST_SECONDS, BURST_CONNECTIONS = 20_000, 5, 256
MAX_P99 = 25.0  # milliseconds
_SPARE = 20_000  # subscribers that only the Go peer changes
_FIRST = 320  # requests of the run that finds out how many fit into `seconds`
_COUNTS = """
SELECT (SELECT count(*) FROM ledger WHERE recorded_at >= '{0}'),
    (SELECT count(*) FROM outbox WHERE created_at >= '{0}'),
    (SELECT count(*) FROM subscriptions WHERE updated_at >= '{0}' AND status = 'unsubscribed')
"""


def run(options: Options) -> Iterator[Result]:
    for engine in options.engines:
        with ExitStack() as stack:
            url = stack.enter_context(databases.opened(engine))
            people.fill(url, options.people)
            product = stack.enter_context(served(url, options))
            door = _Door(product, People(options.people, _SPARE))
            name = f"one-click, {engine}"
            yield from _rates(name, door, options, stack)
            yield _burst(name, door)
            yield from _waits(name, door, engine, options)


@dataclass
class _Door:
    """The one-click endpoint of a running `serve`, and the subscribers left to unsubscribe."""

    served: Served
    people: People
    per_cpu_second: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def rate(self, count: int) -> float:
        """Unsubscribe `count` subscribers as fast as possible and return the rate per second."""
        before = self.served.cpu_seconds()
        answers = self.counted(count, lambda paths: load.unsubscribe(self.served.base_url, paths))
        self.per_cpu_second.append(count / (self.served.cpu_seconds() - before))
        self.rates.append(answers.rate)
        return answers.rate

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
        answers = send(paths)
        found = _recorded(self.served.database_url, since)
        most = count - answers.refused
        if len(set(found)) > 1 or not answers.unsubscribed <= found[0] <= most:
            raise RuntimeError(
                f"{answers.unsubscribed} unsubscribes were answered 200, but there are "
                "{} ledger rows, {} outbox rows and {} changed subscriptions".format(*found)
            )
        return answers


def _recorded(url: str, since: datetime) -> tuple[int, int, int]:
    connection = databases.connect(url)
    text = since.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    found: tuple[int, int, int] = connection.execute(_COUNTS.format(text)).fetchone()
    connection.close()
    return found


def _rates(name: str, door: _Door, options: Options, stack: ExitStack) -> Iterator[Result]:
    """Yield the rates beside those of each peer, and the rates per CPU-second."""
    url, cpu = door.served.database_url, list[float]()
    runs: list[tuple[str, float, Callable[[int], float]]] = []
    if not databases.is_postgresql(url):
        loop = "durable single inserts in Python"
        runs.append((loop, 1.0, lambda count: peers.durable_inserts(url, door.people.take(count))))
    elif peers.pgbench_is_installed():
        runs.append(("pgbench", 1.0, lambda count: peers.pgbench(url, door.people.take(count))))
    if databases.is_postgresql(url) and peers.go_is_installed():
        base, pid = stack.enter_context(peers.go_server(url))
        spare = people.paths(range(options.people - _SPARE, options.people))
        roots = pid, databases.server_process(url)

        def go(count: int) -> float:
            before = cpu_seconds(*roots)
            paths = (spare * (count // _SPARE + 1))[:count]
            rate = load.unsubscribe(base, paths).rate
            cpu.append(count / (cpu_seconds(*roots) - before))
            return rate

        runs.append(("Go, one UPDATE", 0.7, go))
    measures = [door.rate, *(measure for *_, measure in runs)]
    # pgbench divides the requests among its clients.
    each = (sized(one, options.seconds, _FIRST, step=load.CONNECTIONS) for one in measures)
    rate, *limits = medians(options.rounds, *each)
    for (beside, target, _), limit in zip(runs, limits, strict=True):
        yield Result(name, rate, beside, limit, target)
    if cpu:
        work = f"{name}, per CPU-second of application and database"
        yield Result(work, median(door.per_cpu_second), "Go, one UPDATE", median(cpu), 0)


def _burst(name: str, door: _Door) -> Result:
    answers = door.at(BURST / BURST_SECONDS, BURST, BURST_CONNECTIONS)
    work = f"{name}, a burst of {BURST:,} in {BURST_SECONDS} s: answered 200"
    return Result(work, answers.unsubscribed, "–", BURST, 1.0, unit="")


def _waits(name: str, door: _Door, engine: str, options: Options) -> Iterator[Result]:
    """Yield the p99 at half of the reached rate, and beside that of a database of few people."""
    rate = median(door.rates) / 2
    with databases.opened(engine) as url:
        people.fill(url, FEW_PEOPLE)
        with served(url, options) as small:
            limit = _p99(_Door(small, People(FEW_PEOPLE)), rate, options)
    p99 = _p99(door, rate, options)
    work = f"{name}, p99 at half of the rate"
    yield Result(work, p99, "–", MAX_P99, 1.0, at_least=False, unit="ms")
    beside = f"{FEW_PEOPLE:,} people"
    work = f"{work}, {options.people:,} people"
    yield Result(work, p99, beside, limit, 1.3, at_least=False, unit="ms")


def _p99(door: _Door, rate: float, options: Options) -> float:
    """Return the p99 of the waits at a constant rate, in milliseconds."""
    count = min(int(rate * options.seconds * 2), FEW_PEOPLE * 9 // 10)
    warm_up = min(count // 4, FEW_PEOPLE // 10)
    door.at(rate, warm_up)
    return 1000 * door.at(rate, count).percentile(0.99)
