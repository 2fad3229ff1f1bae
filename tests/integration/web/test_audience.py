"""`POST /audience` on a real `serve`: long bodies, memory, cut connections."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from preference_center.asgi_adapter import BODY_SECONDS
from preference_center.client import Client
from preference_center.core import api_keys
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.store import Database
from preference_center.store.tables import Claim
from preference_center.util.clock import utc_now
from tests.support import make, nginx, processes
from tests.support.processes import Running
from tests.support.web_fixtures import environment
from tests.support.wire import CHUNKED, END, chunk, head, length, wire

PATH = "/api/v1/audience?topic=weekly-news&campaign=2026-47"
LINES = b"Content-Type: application/x-ndjson\r\n"
PACKED = b"Content-Encoding: gzip\r\n"
COUNTS = {"allow": 0, "defer": 0, "deny": 0, "refused": 0}


class Center:
    """A running `serve` of one process, and a key."""

    def __init__(self, base_url: str, server: Running, database: Database) -> None:
        self.base_url, self.server, self.database = base_url, server, database
        with database.transaction() as session:
            make.topic(session, "weekly-news", policy="opt_out")
            scopes = [ApiScope.AUDIENCE]
            self.key = api_keys.create(session, "t", ApiKeyKind.LIVE, scopes, utc_now())[1]

    @property
    def authorization(self) -> bytes:
        return f"Authorization: Bearer {self.key}\r\n".encode()

    def head(self, *lines: bytes, path: str = PATH) -> bytes:
        return head(path, LINES, self.authorization, *lines)

    def memory(self) -> int:
        """Return the most memory that a process of the server has had, in KiB."""
        status = [Path(f"/proc/{pid}/status").read_text() for pid in self.server.children]
        return max(int(text.partition("VmHWM:")[2].split()[0]) for text in status)

    def claims(self) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Claim)) or 0


@pytest.fixture
def center(sqlite_template: Path, tmp_path: Path) -> Iterator[Center]:
    path = tmp_path / "serve.db"
    path.write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{path}"
    database = make.database(url)
    with processes.serving_process(environment(url), None, "--processes", "1") as (base, server):
        yield Center(base, server, database)
    database.close()


def people(count: int) -> bytes:
    return b"".join(b'{"email":"reader-%d@example.org"}\n' % n for n in range(count))


def lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


@pytest.mark.parametrize("count", [1, 5000])
def test_a_body_is_answered_whatever_its_encoding(center: Center, count: int) -> None:
    body = people(count)
    packed = gzip.compress(body)
    requests = [
        center.head(length(body)) + body,
        center.head(length(packed), PACKED) + packed,
        center.head(CHUNKED) + b"".join(chunk(part) for part in (body[:9], body[9:])) + END,
    ]
    for request in requests:
        with wire(center.base_url) as connection:
            answer = connection.request(request)
            assert (answer.status, answer.headers["content-type"]) == (200, LINES[14:-2].decode())
            *found, last = lines(answer.body)
            assert [each["line"] for each in found] == list(range(1, count + 1))
            assert last == {"done": True, "counts": {**COUNTS, "allow": count}}
            # The connection can be used again.
            assert connection.request(head("/healthz", method=b"GET")).status == 200


def test_nginx_passes_long_bodies_and_answers_on(center: Center) -> None:
    body = people(5000)
    with nginx.in_front_of(center.base_url) as proxy:
        for request in (
            center.head(length(body)) + body,
            center.head(CHUNKED) + chunk(body) + END,
        ):
            with wire(proxy.url) as connection:
                assert lines(connection.request(request).body)[-1]["counts"]["allow"] == 5000


def test_a_long_body_of_a_stranger_is_not_read(center: Center) -> None:
    key = api_keys.new_text(ApiKeyKind.LIVE).encode()
    begun = head(
        PATH, LINES, b"Authorization: Bearer %s\r\n" % key, b"Content-Length: 99000000\r\n"
    )
    with wire(center.base_url) as connection:
        answer = connection.request(begun, b"x" * 1000)
        assert answer.status == 401
        assert json.loads(answer.body)["type"].endswith("#unauthorized")


def test_a_body_may_arrive_slowly(center: Center) -> None:
    body = people(3)
    with wire(center.base_url, timeout=2 * BODY_SECONDS) as connection:
        connection.send(center.head(length(body)))
        began = time.monotonic()
        for part in (body[:1], body[1:2], body[2:3]):
            connection.send(part)
            time.sleep(BODY_SECONDS / 2.5)
        assert time.monotonic() - began > BODY_SECONDS
        connection.send(body[3:])
        assert lines(connection.answer().body)[-1]["done"] is True


def test_a_request_that_is_cut_off_claims_nothing(center: Center) -> None:
    body = people(3000)
    with wire(center.base_url) as connection:
        connection.send(center.head(length(body), path=f"{PATH}&claim=true"), body[:-10])
    time.sleep(0.5)
    assert center.claims() == 0


def test_a_reader_that_goes_away_stops_the_check(center: Center) -> None:
    count = 20_000
    body = people(count)
    with wire(center.base_url) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.send(center.head(length(body), path=f"{PATH}&claim=true"), body)
        assert connection.file.readline().startswith(b"HTTP/1.1 200")
    before = -1
    while before != (before := center.claims()):
        time.sleep(1)
    assert 0 < before < count
    # The same request again gets the whole answer, and each email is claimed once.
    with wire(center.base_url, timeout=120) as connection:
        answer = connection.request(center.head(length(body), path=f"{PATH}&claim=true"), body)
    assert lines(answer.body)[-1]["counts"] == {**COUNTS, "allow": count}
    assert center.claims() == count


@pytest.mark.faults
@pytest.mark.parametrize("count", [200_000, 1_000_000])
def test_memory_does_not_grow_with_the_number_of_people(center: Center, count: int) -> None:
    client = Client(center.base_url, center.key, timeout=600)

    def check(size: int) -> int:
        emails = (f"reader-{n}@example.org" for n in range(size))
        found = client.audience(emails, topic="weekly-news", campaign="2026-47", claim=True)
        return sum(each["verdict"] == "allow" for each in found)

    assert check(5000) == 5000
    before, began = center.memory(), time.monotonic()
    assert check(count) == count
    seconds, after = time.monotonic() - began, center.memory()
    print(f"{count:,} people, {seconds:.0f} s, {before:,} and {after:,} KiB")  # noqa: T201
    assert after < before + 60_000
