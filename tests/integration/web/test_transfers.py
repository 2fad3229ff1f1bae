"""`POST /exports` and `POST /imports` on a real `serve`: broken off, and in constant memory."""

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest
from sqlalchemy import func, make_url, select

from preference_center.client import Client
from preference_center.core import api_keys
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.store import Database
from preference_center.store.tables import Fetch, SubscriptionRow
from preference_center.util.clock import utc_now
from preference_center.web.api.streams import MAX_EXPORTS
from tests.support import make, nginx, postgres, processes
from tests.support.processes import Running
from tests.support.web_fixtures import environment
from tests.support.wire import head, length, wire

pytestmark = pytest.mark.every_engine

EXPORT, IMPORT = "/api/v1/exports", "/api/v1/imports?topic=weekly-news&status=subscribed"
WANTED = b'{"what": "preferences"}'
WIDE = 4000  # rows of 4 KB: more than the buffers of all sockets between the server and a client
COPYING = """
import shutil, sys
from urllib.request import Request, urlopen
headers = {"Authorization": sys.argv[2], "Content-Type": "application/json"}
shutil.copyfileobj(urlopen(Request(sys.argv[1], sys.argv[3].encode(), headers)), sys.stdout.buffer)
"""
COPYING_JS = """
import { pipeline } from "node:stream/promises";
const [url, key, body] = process.argv.slice(1);
const headers = { Authorization: key, "Content-Type": "application/json" };
await pipeline((await fetch(url, { method: "POST", headers, body })).body, process.stdout);
"""


class Center:
    """A running `serve` of one process, and a key."""

    def __init__(self, base_url: str, server: Running, database: Database, url: str) -> None:
        self.base_url, self.server, self.database, self._url = base_url, server, database, url
        with database.transaction() as session:
            make.topic(session, "weekly-news")
            scopes = [ApiScope.EXPORTS, ApiScope.IMPORTS]
            self.key = api_keys.create(session, "t", ApiKeyKind.LIVE, scopes, utc_now())[1]

    @property
    def client(self) -> Client:
        return Client(self.base_url, self.key, timeout=600)

    def head(self, path: str, kind: bytes, body: bytes, *lines: bytes) -> bytes:
        key = f"Authorization: Bearer {self.key}\r\n".encode()
        return head(path, b"Content-Type: %s\r\n" % kind, key, length(body), *lines)

    def export(self, base_url: str = "") -> Iterator[list[str]]:
        """Yield the commands of several programs that copy an export to their output."""
        url, key = f"{base_url or self.base_url}{EXPORT}", f"Bearer {self.key}"
        curl = ["curl", "-sSNk", "--json", WANTED.decode(), "-H", f"Authorization: {key}", url]
        yield curl
        yield [*curl, "--compressed"]
        yield [sys.executable, "-c", COPYING, url, key, WANTED.decode()]
        yield ["node", "--input-type=module", "-e", COPYING_JS, url, key, WANTED.decode()]

    def break_database(self) -> None:
        """End what reads the database: its connections, or the file that it reads."""
        if self.database.is_sqlite:
            os.truncate(str(make_url(self._url).database), 1_000_000)
        else:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
            postgres.execute(self._url, ended)

    def memory(self) -> int:
        """Return the most memory that a process of the server has had, in KiB."""
        status = [Path(f"/proc/{pid}/status").read_text() for pid in self.server.children]
        return max(int(text.partition("VmHWM:")[2].split()[0]) for text in status)

    def subscriptions(self) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(SubscriptionRow)) or 0

    def fetches(self) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Fetch)) or 0


@pytest.fixture
def center(database_url: str) -> Iterator[Center]:
    database = make.database(database_url)
    settings = environment(database_url)
    with processes.serving_process(settings, None, "--processes", "1") as (base, server):
        yield Center(base, server, database, database_url)
    database.close()


@pytest.fixture
def wide(center: Center, tmp_path: Path) -> Center:
    """Return a center whose preferences have many megabytes."""
    names = ("consent_source", "consent_wording", "basis", "acquired_from")
    rows = "".join(
        f"reader-{n}@example.org,{','.join(token_hex(500) for _ in names)}\n" for n in range(WIDE)
    )  # Compressed, they are still larger than the buffers.
    file = tmp_path / "wide.csv"
    file.write_text(f"email,{','.join(names)}\n{rows}")
    imported = center.client.import_file(file, topic="weekly-news", status="subscribed")
    assert imported.counts["added"] == WIDE
    return center


def test_a_broken_export_is_an_error_for_every_client(wide: Center) -> None:
    copies = [subprocess.Popen(command, stdout=-1, stderr=-1) for command in wide.export()]
    for each in copies:
        assert each.stdout is not None
        assert each.stdout.read(1) == b"e"
    wide.break_database()
    outputs = [each.communicate(timeout=30) for each in copies]
    assert [each.returncode for each in copies] == [18, 18, 1, 1], outputs
    assert b"IncompleteRead" in outputs[2][1]
    assert b"terminated" in outputs[3][1]
    assert "Traceback" not in wide.server.output
    assert "cannot be used now" in wide.server.output or "cannot be read" in wide.server.output


def test_nginx_passes_on_that_an_export_is_broken(wide: Center) -> None:
    with nginx.in_front_of(wide.base_url) as proxy:
        whole, *_ = wide.export(proxy.url)
        lines = subprocess.run(whole, stdout=-1, check=True).stdout.splitlines()
        assert len(lines) == WIDE + 1
        with subprocess.Popen(whole, stdout=-1) as copy:
            assert copy.stdout is not None
            assert copy.stdout.read(1) == b"e"
            wide.break_database()
            copy.communicate(timeout=30)
        assert copy.returncode == 18


def test_an_export_ends_with_its_client(wide: Center) -> None:
    request = wide.head(EXPORT, b"application/json", WANTED)

    def begins() -> bool:
        with wire(wide.base_url) as connection:
            connection.send(request, WANTED)
            return b" 200 " in connection.file.readline()

    for _ in range(2 * MAX_EXPORTS):  # One that went on would keep its place.
        processes.wait_for(begins, "a place for an export")
    assert wide.fetches() == 0


def test_a_client_of_http_1_0_gets_no_export(center: Center) -> None:
    key = f"Authorization: Bearer {center.key}\r\n".encode()
    kind = b"Content-Type: application/json\r\n"
    with wire(center.base_url) as connection:
        request = head(EXPORT, kind, key, length(WANTED), version=b"1.0")
        assert connection.request(request, WANTED).status == 505


def test_files_go_through_nginx_compressed_both_ways(center: Center, tmp_path: Path) -> None:
    count = 3000
    body = b"email\n" + b"".join(b"reader-%d@example.org\n" % n for n in range(count))
    packed = gzip.compress(body)
    request = center.head(IMPORT, b"text/csv", packed, b"Content-Encoding: gzip\r\n")
    with nginx.in_front_of(center.base_url) as proxy:
        with wire(proxy.url) as connection:
            lines = connection.request(request, packed).body.splitlines()
        assert lines[-1].startswith(b'{"done":true')
        assert len(lines) == 4
        whole, compressed, *_ = center.export(proxy.url)
        plain, unpacked = (
            subprocess.run(each, stdout=-1, check=True).stdout for each in (whole, compressed)
        )
    assert plain == unpacked
    target = tmp_path / "preferences.csv"
    center.client.export("preferences", target)
    assert target.read_bytes() == plain
    assert len(plain.splitlines()) == count + 1
    assert target.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir() if "tmp" in each.name] == []
    assert center.fetches() == 1
    again = center.client.import_file(target)
    assert (again.counts["unchanged"], list(again.lines)) == (count, [])


@pytest.mark.faults
def test_an_import_ends_with_its_client_and_can_be_repeated(center: Center) -> None:
    count = 100_000
    body = b"email\n" + b"".join(b"reader-%d@example.org\n" % n for n in range(count))
    request = center.head(IMPORT, b"text/csv", body)
    with wire(center.base_url) as connection:
        connection.send(request, body)
        assert connection.file.readline().startswith(b"HTTP/1.1 200")
    before = -1
    while before != (before := center.subscriptions()):
        time.sleep(2)
    assert 0 < before < count
    with wire(center.base_url, timeout=300) as connection:
        last = connection.request(request, body).body.splitlines()[-1]
    assert last.startswith(b'{"done":true')
    assert f'"unchanged":{before}'.encode() in last
    assert center.subscriptions() == count


@pytest.mark.faults
def test_memory_does_not_grow_with_the_number_of_rows(center: Center, tmp_path: Path) -> None:
    def transfer(count: int) -> None:
        source, target = tmp_path / "in.csv", tmp_path / "out.csv"
        with source.open("w") as file:
            file.write("email\n")
            file.writelines(f"reader-{n}@example.org\n" for n in range(count))
        client, began = center.client, time.monotonic()
        counts = client.import_file(source, topic="weekly-news", status="subscribed").counts
        assert counts["added"] + counts["unchanged"] == count
        imported_at = time.monotonic()
        client.export("preferences", target)
        seconds = imported_at - began, time.monotonic() - imported_at
        with target.open() as file:
            assert sum(1 for _ in file) == count + 1
        print(f"{count:,} rows: in {seconds[0]:.1f} s, out {seconds[1]:.1f} s")  # noqa: T201

    transfer(5000)
    before = center.memory()
    transfer(200_000)
    after = center.memory()
    print(f"{before:,} and {after:,} KiB")  # noqa: T201
    assert after < before + 60_000
