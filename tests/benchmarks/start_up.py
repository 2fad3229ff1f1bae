"""How long `serve` takes to its first answer, and `receive` for one message.

Beside them: a Python process that imports Flask and SQLAlchemy.
"""

import compileall
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import preference_center
from tests.benchmarks import databases, people
from tests.benchmarks.measure import command, medians, seconds_of
from tests.benchmarks.options import Options
from tests.benchmarks.result import Result
from tests.support import processes

MAX_SERVE, MAX_RECEIVE = 3, 1.5
MIN_ROUNDS = 5  # Each takes a second, and varies more than a longer run.
_PEOPLE = 100
_POLL = 0.002  # seconds
_IMPORTS = "import flask, sqlalchemy"


def run(options: Options) -> Iterator[Result]:
    # As pip does. With PYTHONDONTWRITEBYTECODE, each start would compile a source tree again.
    compileall.compile_dir(Path(preference_center.__file__).parent, quiet=1)
    rounds = max(options.rounds, MIN_ROUNDS)
    for engine in options.engines:
        with databases.opened(engine) as url:
            people.fill(url, _PEOPLE)
            measures = partial(_serve, url), _Receive(url), _import
            serve, receive, limit = medians(rounds, *measures)
        for name, seconds, target in (
            ("serve to the first answer", serve, MAX_SERVE),
            ("receive of one message", receive, MAX_RECEIVE),
        ):
            work, beside = f"{name}, {engine}", f'python -c "{_IMPORTS}"'
            yield Result(work, seconds, beside, limit, target, at_least=False, unit="s")


def _import() -> float:
    python = [sys.executable, "-c", _IMPORTS]
    return seconds_of(lambda: subprocess.run(python, check=True))


def _serve(url: str) -> float:
    """Return the seconds until `serve` answers /healthz."""
    port, start = processes.free_port(), time.perf_counter()
    with processes.running(databases.settings(url), "serve", "--port", str(port)) as server:
        while not _answers(port):
            if server.process.poll() is not None:
                raise RuntimeError(server.output)
            time.sleep(_POLL)
        return time.perf_counter() - start


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return connection.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False


class _Receive:
    """Measures `receive`, each time with the unsubscribe of another subscriber."""

    def __init__(self, url: str) -> None:
        self._settings, self._number = databases.settings(url), 0

    def __call__(self) -> float:
        """Return the seconds that one message takes."""
        self._number += 1
        recipient = people.mailto_address(self._number)
        with tempfile.TemporaryDirectory() as folder:
            message, output = Path(folder) / "message.eml", Path(folder) / "output"
            message.write_text(f"From: <reader@example.org>\nTo: <{recipient}>\n\n", "ascii")
            arguments = ("receive", f"--recipient={recipient}")
            seconds = seconds_of(
                lambda: command(self._settings, *arguments, stdin=message, stdout=output)
            )
            if output.read_text("utf-8").strip() != "unsubscribed":
                raise RuntimeError(output.read_text("utf-8"))
        return seconds
