"""`preference_center.client`: exports and imports. Audience checks: `cli/test_audience_url.py`."""

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from preference_center.client import Client, IncompleteError, RefusedError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n"
CSV = b"email\r\nada@example.org\r\n"
DONE: dict[str, Any] = {"done": True, "counts": {"added": 1}, "findings": {"cleaned": 0}}


class Peer:
    """A server that gives one answer, whole or cut off, and keeps the request."""

    def __init__(self, answer: bytes) -> None:
        self._answer, self.request = answer, b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.client = Client(f"http://127.0.0.1:{self._listener.getsockname()[1]}", "key")

    def serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, self._listener:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            size = int(head.lower().partition(b"content-length:")[2].split()[0])
            while len(head.partition(b"\r\n\r\n")[2]) < size:
                head += connection.recv(65536)
            self.request = head
            connection.sendall(self._answer)


@contextmanager
def peer(answer: bytes) -> Iterator[Peer]:
    made = Peer(answer)
    thread = threading.Thread(target=made.serve)
    thread.start()
    yield made
    thread.join()


def chunked(body: bytes, *lines: bytes, last: bytes = b"0\r\n\r\n") -> bytes:
    return HEAD + b"".join(lines) + b"\r\n%x\r\n%s\r\n" % (len(body), body) + last


@pytest.mark.parametrize("packed", [True, False])
def test_an_export_replaces_a_file_for_its_owner_only(tmp_path: Path, packed: bool) -> None:
    target = tmp_path / "people.csv"
    target.write_text("an older one")
    lines = [b"Content-Encoding: gzip\r\n"] if packed else []
    since = datetime(2026, 11, 22, tzinfo=UTC)
    with peer(chunked(gzip.compress(CSV) if packed else CSV, *lines)) as served:
        served.client.export("preferences", target, topic="news", changed_since=since)
    assert target.read_bytes() == CSV
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]
    head, _, body = served.request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v1/exports HTTP/1.1\r\n")
    assert json.loads(body) == {
        "what": "preferences",
        "format": "csv",
        "topic": "news",
        "changed_since": "2026-11-22T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    "answer",
    [
        chunked(CSV, last=b""),
        chunked(CSV)[:-9],
        chunked(gzip.compress(CSV)[:-1], b"Content-Encoding: gzip\r\n"),
        chunked(gzip.compress(CSV), b"Content-Encoding: gzip\r\n", last=b""),
    ],
)
def test_an_export_that_was_cut_off_leaves_the_older_file(tmp_path: Path, answer: bytes) -> None:
    target = tmp_path / "people.csv"
    target.write_text("an older one")
    with peer(answer) as served, pytest.raises(IncompleteError):
        served.client.export("preferences", target)
    assert target.read_text() == "an older one"
    assert list(tmp_path.iterdir()) == [target]


def test_a_refused_export_leaves_no_file(tmp_path: Path) -> None:
    problem = b'{"title": "No.", "status": 404}'
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s" % (len(problem), problem)
    with peer(answer) as served, pytest.raises(RefusedError, match="No"):
        served.client.export("preferences", tmp_path / "people.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind"), [("a.csv", b"text/csv"), ("a.JSONL", b"application/x-ndjson")]
)
def test_a_file_is_imported_with_its_options(tmp_path: Path, name: str, kind: bytes) -> None:
    source = tmp_path / name
    source.write_bytes(CSV)
    refused = {"line": 2, "error": "no"}
    lines = [refused, {"progress": {"added": 1}}, DONE]
    with peer(chunked("".join(f"{json.dumps(each)}\n" for each in lines).encode())) as served:
        imported = served.client.import_file(
            source, topic="news", status="subscribed", ignore_columns=["a&b", "c"], dry_run=True
        )
    assert (imported.counts, imported.findings) == (DONE["counts"], DONE["findings"])
    assert list(imported.lines) == [refused]
    head, _, body = served.request.partition(b"\r\n\r\n")
    query = b"topic=news&status=subscribed&ignore_column=a%26b&ignore_column=c&dry_run=true"
    assert head.startswith(b"POST /api/v1/imports?%s HTTP/1.1\r\n" % query)
    assert b"Content-Type: " + kind in head
    assert body == CSV


def test_a_file_of_another_system_is_imported(tmp_path: Path) -> None:
    source = tmp_path / "audience.zip"
    source.write_bytes(b"PK")
    with peer(chunked(json.dumps(DONE).encode())) as served:
        served.client.import_file(source, written_by="mailchimp")
    head, _, _ = served.request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v1/imports?from=mailchimp HTTP/1.1\r\n")
    assert b"Content-Type: application/zip" in head


def test_an_import_without_its_last_line_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes(CSV)
    for last in (b'{"progress": {}}', b'{"problem": {"title": "The database is out."}}'):
        with peer(chunked(last)) as served, pytest.raises(IncompleteError):
            served.client.import_file(source)
