"""Load: one-click requests over persistent connections, and the time of each answer."""

import re
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 64
MAX_WAIT = 30.0  # Seconds after which a client gives up on a request.
_TICK = 0.001  # seconds, how long the client waits for answers before it looks at the clock
_SCRIPT = Path(__file__).with_name("one_click.lua")
_BODY = b"List-Unsubscribe=One-Click"
_HEAD = (
    "POST {} HTTP/1.1\r\nHost: localhost\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 26\r\n\r\n"
)


@dataclass
class Answers:
    """The answers to a load.

    Attributes:
        unsubscribed: the number of requests that were answered 200.
        refused: the number of requests that were answered otherwise.
        seconds: the time from the first request to the last answer.
        waits: for each answer 200, the seconds since the request was due.
    """

    unsubscribed: int = 0
    refused: int = 0
    seconds: float = 0
    waits: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.unsubscribed / self.seconds

    def percentile(self, share: float) -> float:
        """Return the wait that `share` of the requests do not exceed, in seconds."""
        return sorted(self.waits)[int(len(self.waits) * share)]


def generator() -> str:
    """Return the name of the program that `unsubscribe` uses."""
    return "wrk" if shutil.which("wrk") else "Python"


def unsubscribe(base_url: str, paths: Sequence[str]) -> Answers:
    """Post to each path once, on 64 connections, each as soon as its last answer is there."""
    if generator() != "wrk":
        return unsubscribe_at(base_url, paths, rate=None)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(paths))
        file.flush()
        wrk = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", "600", "--timeout", "30s"]
        done = subprocess.run(
            [*wrk, "-s", str(_SCRIPT), base_url, "--", file.name],
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(r"^(\d+) unsubscribed in ([\d.]+)$", done.stdout, re.MULTILINE)
    if done.returncode or found is None:
        raise RuntimeError(f"wrk: {done.stderr or done.stdout}")
    return Answers(unsubscribed=int(found[1]), seconds=float(found[2]))


def unsubscribe_at(
    base_url: str, paths: Sequence[str], rate: float | None, connections: int = CONNECTIONS
) -> Answers:
    """Post to each path once, at a constant rate per second; None is as fast as possible.

    If all connections are busy, a request waits. It is timed from when it was due, so this counts.
    When one has waited for `MAX_WAIT`, the run ends; requests without an answer are lost.
    """
    parts = urlsplit(base_url)
    client = _Client((parts.hostname or "", parts.port or 80), connections)
    try:
        return client.run(paths, rate)
    finally:
        client.close()


class _Client:
    """A number of connections in one thread. Every answer has a Content-Length."""

    def __init__(self, address: tuple[str, int], connections: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._idle = [socket.create_connection(address, MAX_WAIT) for _ in range(connections)]
        for each in self._idle:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(each, selectors.EVENT_READ)
        self._due_at: dict[socket.socket, float] = {}  # of requests sent, the oldest first
        self._received: dict[socket.socket, bytes] = {}
        self._answers = Answers()

    def run(self, paths: Sequence[str], rate: float | None) -> Answers:
        """Post to each path at its time, and return the answers."""
        start, sent = time.perf_counter(), 0
        while sent < len(paths) or self._due_at:
            now = time.perf_counter()
            if self._is_stuck(now):
                break
            while sent < len(paths) and self._idle:
                due = start + sent / rate if rate else now
                if due > now:
                    break
                self._send(self._idle.pop(), paths[sent], due)
                sent += 1
            self._receive(_TICK if sent < len(paths) else 100 * _TICK)
        self._answers.seconds = time.perf_counter() - start
        return self._answers

    def _is_stuck(self, now: float) -> bool:
        """Return True if the oldest request has waited too long, or every connection is lost."""
        oldest = next(iter(self._due_at.values()), None)
        return not self._idle if oldest is None else now - oldest > MAX_WAIT

    def _send(self, connection: socket.socket, path: str, due: float) -> None:
        connection.sendall(_HEAD.format(path).encode() + _BODY)
        self._due_at[connection], self._received[connection] = due, b""

    def _receive(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            data = connection.recv(65_536)
            self._received[connection] = self._received.get(connection, b"") + data
            if not data:
                self._lose(connection)
            elif _is_complete(self._received[connection]):
                self._finish(connection)

    def _lose(self, connection: socket.socket) -> None:
        """Forget a connection that the server has closed, and its request, if there is one."""
        self._selector.unregister(connection)
        connection.close()
        if self._due_at.pop(connection, None) is None:
            self._idle.remove(connection)

    def _finish(self, connection: socket.socket) -> None:
        wait = time.perf_counter() - self._due_at.pop(connection)
        if self._received[connection].startswith(b"HTTP/1.1 200 "):
            self._answers.unsubscribed += 1
            self._answers.waits.append(wait)
        else:
            self._answers.refused += 1
        self._idle.append(connection)

    def close(self) -> None:
        """Close all connections."""
        for connection in (*self._idle, *self._due_at):
            connection.close()
        self._selector.close()


def _is_complete(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return bool(end) and length is not None and len(body) >= int(length[1])
