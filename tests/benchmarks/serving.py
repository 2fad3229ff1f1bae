"""A running `serve`, and the CPU time of it and its database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.benchmarks import databases, load
from tests.benchmarks.measure import cpu_seconds
from tests.benchmarks.options import Options
from tests.support import processes


@dataclass(frozen=True)
class Served:
    """A running one-click endpoint, of the product or of a peer.

    Attributes:
        base_url: where it is.
        database_url: its database.
        roots: the ids of its processes and of the database's, whose children belong to them.
        rates: the rate per second of each run so far.
        rates_per_cpu: the answers of each run per second of CPU time of `roots`.
    """

    base_url: str
    database_url: str
    roots: tuple[int, ...]
    rates: list[float] = field(default_factory=list)
    rates_per_cpu: list[float] = field(default_factory=list)

    def unsubscribe(self, paths: Sequence[str]) -> load.Answers:
        """Post to each path once, as fast as possible, and note the rates."""
        before = cpu_seconds(*self.roots)
        answers = load.unsubscribe(self.base_url, paths)
        self.rates_per_cpu.append(answers.unsubscribed / (cpu_seconds(*self.roots) - before))
        self.rates.append(answers.rate)
        return answers


@contextmanager
def served(database_url: str, options: Options, **changes: str) -> Iterator[Served]:
    """Yield a running `serve`; `changes` are settings."""
    port = str(processes.free_port())
    base_url = f"http://127.0.0.1:{port}"
    several = ["--processes", str(options.processes)] if options.processes is not None else []
    settings = databases.settings(database_url, **changes)
    with processes.running(settings, "serve", "--port", port, *several) as server:
        processes.wait_until_answering(server, f"{base_url}/readyz")
        roots = [server.process.pid]
        if databases.is_postgresql(database_url):
            roots.append(databases.server_process(database_url))
        yield Served(base_url, database_url, tuple(roots))
