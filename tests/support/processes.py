"""Runs the commands as separate processes, and stops them afterwards.

    with processes.serving(make.environment(DATABASE_URL=url)) as base_url: ...
    with processes.working(environ): ...

Each has its own process group, so that no child process outlives the test.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

COMMAND = str(Path(sys.executable).with_name("preference-center"))
MAX_START = 30.0  # seconds, enough for a busy machine
_WITH_SOCKET = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Running:
    """A running command and its output so far."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    @property
    def members(self) -> list[int]:
        """Return the ids of the running processes of the command."""
        found = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return [pid for pid in found if self._has(pid)]

    @property
    def children(self) -> set[int]:
        """Return the ids of the running processes of the command without its first one."""
        return set(self.members) - {self.process.pid}

    def _has(self, pid: int) -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
            return os.getpgid(pid) == self.process.pid and state != "Z"
        except OSError:
            return False  # it has ended

    def kill(self) -> None:
        """Send SIGKILL to the command and its child processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM, as a service manager does, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(MAX_START)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this process, with `settings` as the only settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PREFERENCE_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **settings}


def run(
    settings: Mapping[str, str], *arguments: str, stdin: bytes = b"", **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a command until it ends."""
    return subprocess.run(
        [COMMAND, *arguments],
        env=environment(settings),
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
        **options,
    )


def start(settings: Mapping[str, str], *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command, or the `program` of the options, in its own process group."""
    program = options.pop("program", COMMAND)
    return subprocess.Popen(
        [program, *arguments], env=environment(settings), start_new_session=True, **options
    )


def start_with_socket(
    settings: Mapping[str, str], listener: socket.socket, *arguments: str, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a command as `start` does, and pass it a socket as systemd does."""
    descriptor = listener.fileno()
    return subprocess.Popen(
        [sys.executable, "-c", _WITH_SOCKET, str(descriptor), COMMAND, *arguments],
        env=environment(settings),
        start_new_session=True,
        pass_fds=[descriptor],
        **options,
    )


@contextmanager
def running(
    settings: Mapping[str, str],
    *arguments: str,
    listener: socket.socket | None = None,
    **options: Any,
) -> Iterator[Running]:
    """Yield a running command. Stop it at the end, with SIGKILL if necessary."""
    with tempfile.NamedTemporaryFile(prefix="preference-center-") as log:
        options |= {"stdout": log, "stderr": subprocess.STDOUT}
        if listener is None:
            process = start(settings, *arguments, **options)
        else:
            process = start_with_socket(settings, listener, *arguments, **options)
        command = Running(process, Path(log.name))
        try:
            yield command
        finally:
            if process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.terminate()
                    process.wait(5)
            command.kill()


@contextmanager
def serving(settings: Mapping[str, str], port: int | None = None) -> Iterator[str]:
    """Yield the base URL of a running `serve`."""
    with serving_process(settings, port) as (base_url, _):
        yield base_url


@contextmanager
def serving_process(
    settings: Mapping[str, str], port: int | None = None, *options: str
) -> Iterator[tuple[str, Running]]:
    """Yield the base URL of a running `serve`, and its process."""
    port = port or free_port()
    base_url = f"http://127.0.0.1:{port}"
    with running(settings, "serve", "--port", str(port), *options) as server:
        wait_until_answering(server, f"{base_url}/healthz")
        yield base_url, server


@contextmanager
def working(settings: Mapping[str, str]) -> Iterator[Running]:
    """Yield a running `worker`."""
    with running(settings, "worker") as worker:
        yield worker


def wait_until_answering(server: Running, url: str, seconds: float = MAX_START) -> None:
    """Return once `url` answers; fail with the output of the process if it ends first."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        assert server.process.poll() is None, server.output
        with suppress(URLError, OSError), urlopen(url, timeout=5):
            return
        time.sleep(0.05)
    raise AssertionError(f"no answer from {url}\n{server.output}")


def wait_for(happened: Any, what: str, seconds: float = MAX_START) -> None:
    """Return once `happened()` is true; fail with `what` if that takes too long."""
    give_up = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)


def free_port() -> int:
    """Return an unused local port below those that the system gives to clients.

    A client could take one of those before the server that is meant to have it has started.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
