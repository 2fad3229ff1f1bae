"""Clients that send nothing, or stop in the middle, keep no one else from being answered."""

import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from preference_center.server import HEADER_SECONDS
from tests.support import processes
from tests.support.site import link
from tests.support.web_fixtures import environment
from tests.support.wire import (
    CHUNKED,
    FORM,
    RFC,
    Served,
    Wire,
    assert_unsubscribed,
    head,
    length,
    wire,
)

HEALTH = head("/healthz", method=b"GET")
# What a client sends before it stalls. The link is valid, so that the body is read.
STALLED = {
    "nothing": b"",
    "half a header": head(link(), FORM)[:40],
    "half a body": head(link(), FORM, length(RFC)) + RFC[:5],
    "half a chunk": head(link(), FORM, CHUNKED) + b"1a\r\nList-",
    "one request": HEALTH,
}
MAX_SECONDS = 5.0  # on a busy machine


@contextmanager
def stalled_clients(base_url: str, count: int, sent: bytes) -> Iterator[list[Wire]]:
    """Open `count` connections, and send `sent` on each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(count + 500, hard)), hard))
    with ExitStack() as stack:
        clients = [stack.enter_context(wire(base_url)) for _ in range(count)]
        for client in clients:
            client.send(sent)
            if sent == HEALTH:
                assert client.answer().status == 200
        yield clients


@pytest.mark.parametrize("count", [1500, pytest.param(10_000, marks=pytest.mark.faults)], ids=str)
@pytest.mark.parametrize("sent", STALLED.values(), ids=STALLED)
def test_stalled_clients_do_not_block_others(served: Served, sent: bytes, count: int) -> None:
    with stalled_clients(served.base_url, count, sent):
        started = time.monotonic()
        with wire(served.base_url) as connection:
            assert_unsubscribed(connection.request(head(served.path, FORM, length(RFC)), RFC))
        assert time.monotonic() - started < MAX_SECONDS
    assert served.unsubscribe_count() == 1


def test_clients_without_a_request_are_disconnected(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "serve.db"
    path.write_bytes(sqlite_template.read_bytes())
    with processes.serving(environment(f"sqlite:///{path}")) as base_url, ExitStack() as stack:
        started = time.monotonic()
        kinds = [STALLED[name] for name in ("nothing", "half a header", "one request")]
        opened = [stack.enter_context(stalled_clients(base_url, 1, sent)) for sent in kinds]
        assert [client.file.read() for (client,) in opened] == [b""] * 3
        assert time.monotonic() - started < 2 * HEADER_SECONDS
