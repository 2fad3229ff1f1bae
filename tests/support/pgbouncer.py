"""A local PgBouncer in front of a PostgreSQL server, configured as in `docs/scaling.md`.

    with pgbouncer.in_front_of(url) as pooler:
        ...  # use pooler.url
        pooler.forward_to(other_url)

The `pgbouncer.ini` is the documented one, with the addresses of the test, clients that need no
password, and two connections to the server, which is fewer than the tests have transactions.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from tests.support import postgres, processes

DOCS = Path(__file__).parents[2] / "docs" / "scaling.md"
CONNECTIONS = 2


def binary() -> str:
    """Return the path of PgBouncer; if it is not installed, skip the test, or fail it in CI."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail("no PgBouncer: apt-get install pgbouncer")
    pytest.skip("no PgBouncer: apt-get install pgbouncer")


def documented() -> str:
    """Return the `pgbouncer.ini` of `docs/scaling.md`."""
    (block,) = re.findall(r"(?ms)^```ini\n(; pgbouncer.ini.+?)^```", DOCS.read_text("utf-8"))
    return str(block)


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer. `database` is its name of the server's database."""

    folder: Path
    port: int
    user: str
    database: str
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        address = f"{self.user}@127.0.0.1:{self.port}"
        return f"postgresql+psycopg://{address}/{self.database}?pooling=transaction"

    def forward_to(self, url: str) -> None:
        """Forward to another server from now on."""
        _write(self.folder, self.port, self.database, url)
        self.process.send_signal(signal.SIGHUP)

    def answers(self) -> bool:
        with suppress(OperationalError):
            return bool(postgres.query(self.url.partition("?")[0], "SELECT 1"))
        return False


@contextmanager
def in_front_of(url: str) -> Iterator[Pooler]:
    """Yield a PgBouncer that forwards to the server at `url`."""
    program, port, target = binary(), processes.free_port(), make_url(url)
    with TemporaryDirectory(prefix="preference-center-pgbouncer-") as name:
        folder, database = Path(name), target.database or ""
        (folder / "users").write_text('"postgres" ""\n', "ascii")
        _write(folder, port, database, url)
        user = "postgres" if os.geteuid() == 0 else None  # PgBouncer refuses root.
        if user is not None:
            shutil.chown(folder, user)
        process = subprocess.Popen([program, "-q", folder / "pgbouncer.ini"], user=user)
        pooler = Pooler(folder, port, target.username or "", database, process)
        try:
            processes.wait_for(pooler.answers, "a PgBouncer that answers")
            yield pooler
        finally:
            process.terminate()
            process.wait(10)


def _write(folder: Path, port: int, name: str, url: str) -> None:
    """Write `pgbouncer.ini` with the database `name` at `url`."""
    target, text = make_url(url), documented()
    host = target.query.get("host") or target.host
    database = f"{name} = host={host} port={target.port or 5432} dbname={target.database}"
    for documents, tests in (
        ("preferences = host=127.0.0.1 port=5432", database),
        ("listen_port = 6432", f"listen_port = {port}"),
        ("auth_type = scram-sha-256", "auth_type = trust"),
        ("/etc/pgbouncer/userlist.txt", f"{folder}/users"),
        ("default_pool_size = 20", f"default_pool_size = {CONNECTIONS}"),
    ):
        assert documents in text
        text = text.replace(documents, tests)
    text += f"\nunix_socket_dir =\nlogfile = {folder}/log\n"
    (folder / "pgbouncer.ini").write_text(text, "ascii")
