"""A running `serve`, and the CPU time of it and its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.benchmarks import databases
from tests.benchmarks.measure import cpu_seconds
from tests.benchmarks.options import Options
from tests.support import processes


@dataclass(frozen=True)
class Served:
    """The URLs of a running `serve` and of its database, and the processes of both."""

    base_url: str
    database_url: str
    roots: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far by the application and its database, in seconds."""
        return cpu_seconds(*self.roots)


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
