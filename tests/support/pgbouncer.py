"""A local PgBouncer in front of a PostgreSQL server, configured as in `docs/scaling.md`.

    with pgbouncer.in_front_of(url) as pooled_url:
        ...

The `pgbouncer.ini` is the documented one, with the addresses of the test, clients that need no
password, and two connections to the server, which is fewer than the tests have transactions.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url

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


@contextmanager
def in_front_of(url: str) -> Iterator[str]:
    """Yield the URL of a PgBouncer that forwards to the server at `url`."""
    program, port = binary(), processes.free_port()
    with TemporaryDirectory(prefix="preference-center-pgbouncer-") as name:
        folder = Path(name)
        (folder / "users").write_text('"postgres" ""\n', "ascii")
        (folder / "pgbouncer.ini").write_text(_configuration(folder, port, url), "ascii")
        user = "postgres" if os.geteuid() == 0 else None  # PgBouncer refuses root.
        if user is not None:
            shutil.chown(folder, user)
        process = subprocess.Popen([program, "-q", folder / "pgbouncer.ini"], user=user)
        pooled = make_url(url).set(host="127.0.0.1", port=port)
        pooled = pooled.difference_update_query(["host"])
        pooled = pooled.update_query_dict({"pooling": "transaction"})
        try:
            yield _answering(pooled.render_as_string(hide_password=False))
        finally:
            process.terminate()
            process.wait(10)


def _configuration(folder: Path, port: int, url: str) -> str:
    target = make_url(url)
    host = target.query.get("host") or target.host
    database = f"{target.database} = host={host} port={target.port or 5432}"
    text = documented()
    for documents, tests in (
        ("preferences = host=127.0.0.1 port=5432", database),
        ("listen_port = 6432", f"listen_port = {port}"),
        ("auth_type = scram-sha-256", "auth_type = trust"),
        ("/etc/pgbouncer/userlist.txt", f"{folder}/users"),
        ("default_pool_size = 20", f"default_pool_size = {CONNECTIONS}"),
    ):
        assert documents in text
        text = text.replace(documents, tests)
    return f"{text}\nunix_socket_dir =\nlogfile = {folder}/log\n"


def _answering(url: str) -> str:
    direct = make_url(url).difference_update_query(["pooling"]).render_as_string()

    def answers() -> bool:
        with suppress(Exception):
            return bool(postgres.query(direct, "SELECT 1"))
        return False

    processes.wait_for(answers, "a PgBouncer that answers")
    return url
