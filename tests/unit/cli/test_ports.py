"""The socket that a server listens on."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from preference_center.cli.ports import listening_socket
from tests.support import make, processes

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(sqlite_template: Path) -> dict[str, str]:
    return make.environment(DATABASE_URL=f"sqlite:///{sqlite_template}")


def test_a_free_port_is_listened_on() -> None:
    with listening_socket("localhost", processes.free_port()) as listener:
        socket.create_connection(listener.getsockname(), 5).close()


def test_a_socket_on_all_ipv6_addresses_accepts_ipv4() -> None:
    with listening_socket("::", processes.free_port()) as listener:
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]), 5).close()


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_used_port_is_refused(settings: dict[str, str], tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        refused = processes.run(settings, command, "--port", str(port), cwd=tmp_path)
    error = f"Error: 127.0.0.1:{port} cannot be used (Address already in use). Try --port.\n"
    assert (refused.returncode, refused.stderr.decode()[-len(error) :]) == (1, error)


@pytest.mark.parametrize(
    "make_socket",
    [
        lambda: socket.socket(socket.AF_UNIX),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    ],
    ids=["Unix", "UDP"],
)
def test_a_passed_socket_of_another_kind_is_refused(
    settings: dict[str, str], make_socket: Callable[[], socket.socket]
) -> None:
    with make_socket() as passed:
        process = processes.start_with_socket(settings, passed, "serve", stderr=subprocess.PIPE)
        _, stderr = process.communicate(timeout=processes.MAX_START)
    assert process.returncode == 1
    assert stderr.endswith(b"Error: The service manager must pass exactly one TCP socket.\n")


def test_a_socket_passed_to_another_process_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + 1))
    monkeypatch.setenv("LISTEN_FDS", "1")
    with listening_socket("127.0.0.1", processes.free_port()) as listener:
        assert listener.fileno() != 3


def test_sqlite_is_served_by_one_process(settings: dict[str, str]) -> None:
    refused = processes.run(settings, "serve", "--processes", "2")
    assert refused.returncode == 2
    assert "Only one process can serve from SQLite." in refused.stderr.decode()
