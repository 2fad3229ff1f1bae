"""What one-click is measured beside: pgbench, a Go server, and a loop of single inserts."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from tests.benchmarks import databases
from tests.benchmarks.databases import TOPIC, connect, libpq_url
from tests.benchmarks.load import CONNECTIONS
from tests.benchmarks.people import CAMPAIGN, SINCE, subscriber_id
from tests.benchmarks.serving import Served
from tests.support import processes

_FOLDER = Path(__file__).parent
_GO_LIBRARIES = Path("/usr/share/gocode")  # where Debian's packages put them
_BEFORE = {
    "basis": "",
    "acquired_from": "",
    "changed_at": "2026-01-05T12:00:00+00:00",
    "consent_at": None,
    "consent_source": "",
    "consent_wording": None,
    "frequency": "every",
    "paused_until": None,
    "source": "import",
    "status": "subscribed",
}
_AFTER = _BEFORE | {"status": "unsubscribed", "source": "one-click"}
_LEDGER = (
    "INSERT INTO ledger (subscriber_id, seq, event, scope, topic, source, campaign, occurred_at, "
    "recorded_at, digest, hash) "
    f"VALUES (?, 1, 'unsubscribed', 'topic', '{TOPIC}', 'one-click', '{CAMPAIGN}', ?, ?, ?, ?)"
)


def pgbench_is_installed() -> bool:
    return _is_installed("pgbench", "pgbench")


def go_is_installed() -> bool:
    """Return True if the Go peer can be built; if not, say what is missing."""
    library = (_GO_LIBRARIES / "src/github.com/lib/pq").is_dir()
    if not library:
        _say_missing("golang-github-lib-pq-dev")
    return _is_installed("go", "golang-go") and library


def _is_installed(program: str, package: str) -> bool:
    if shutil.which(program) is not None:
        return True
    _say_missing(package)
    return False


def _say_missing(package: str) -> None:
    sys.stderr.write(f"{package} is not installed: no row for it\n")


def pgbench(url: str, numbers: Sequence[int]) -> float:
    """Unsubscribe each of these subscribers with 64 clients of pgbench; return the rate."""
    _number(url, numbers)
    variables = {
        "n": "-1",
        "each": str(len(numbers) // CONNECTIONS),
        "hash": bytes(range(32)).hex(),
        "salt": bytes(range(16)).hex(),
        "before": _snapshot(_BEFORE),
        "after": _snapshot(_AFTER),
    }
    done = subprocess.run(
        [
            *("pgbench", "--no-vacuum", "--protocol=prepared", "--jobs=2"),
            *(f"--client={CONNECTIONS}", f"--transactions={variables['each']}"),
            *(f"--define={name}={value}" for name, value in variables.items()),
            *("--file", str(_FOLDER / "pgbench.sql"), libpq_url(url)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode or found is None:
        raise RuntimeError(f"pgbench: {done.stderr[:1000]}")
    return float(found[1])


def _number(url: str, numbers: Sequence[int]) -> None:
    """Write the ids of subscribers to a table with consecutive numbers, for pgbench."""
    with connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS benchmark_people")
        cursor.execute("CREATE TABLE benchmark_people (n int PRIMARY KEY, subscriber_id uuid)")
        with cursor.copy("COPY benchmark_people FROM STDIN") as copy:
            for place, number in enumerate(numbers):
                copy.write_row((place, subscriber_id(number)))
        cursor.execute("VACUUM ANALYZE benchmark_people")


def _snapshot(value: dict[str, Any]) -> str:
    return json.dumps({f"topic:{TOPIC}": value}, sort_keys=True, separators=(",", ":"))


@contextmanager
def go_server(url: str) -> Iterator[Served]:
    """Build the Go peer and yield it, running."""
    parts = make_url(url)
    source = f"host={parts.host} port={parts.port} user={parts.username} dbname={parts.database}"
    port = processes.free_port()
    listen = f"127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="preference-center-") as folder:
        program = str(Path(folder) / "peer")
        environ = os.environ | {
            "GO111MODULE": "off",
            "GOPATH": str(_GO_LIBRARIES),
            "GOCACHE": str(Path(folder) / "cache"),
        }
        build = ["go", "build", "-o", program, str(_FOLDER / "peer.go")]
        subprocess.run(build, env=environ, check=True)
        peer = subprocess.Popen([program, listen, f"{source} sslmode=disable"])
        try:
            processes.wait_for(partial(_accepts, port), "the Go peer does not start")
            roots = peer.pid, databases.server_process(url)
            yield Served(f"http://{listen}", url, roots)
        finally:
            peer.terminate()
            peer.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def durable_inserts(url: str, numbers: Sequence[int]) -> float:
    """Insert a ledger row for each subscriber into SQLite, one a transaction; return the rate."""
    connection: sqlite3.Connection = connect(url)
    ids, digest = [subscriber_id(each).hex for each in numbers], bytes(range(32))
    start = time.perf_counter()
    for each in ids:
        connection.execute(_LEDGER, (each, SINCE, SINCE, digest, digest))
    seconds = time.perf_counter() - start
    connection.close()
    return len(ids) / seconds
