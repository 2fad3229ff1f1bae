"""Bodies of large requests, which are kept in temporary files."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from preference_center import asgi_uploads
from preference_center.asgi_adapter import AsgiAdapter, Message
from preference_center.asgi_uploads import NO_ROOM, STORED, UNREAD, Uploads
from tests.unit.test_asgi_adapter import (
    CHUNKED,
    SCOPE,
    ask,
    length,
    part,
    status,
)

PATH, KEY = "/upload", b"Bearer good"
Headers = list[tuple[bytes, bytes]]


def tell(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the length of the body, and what the environment says about it."""
    body = environ["wsgi.input"].read()
    said = (environ.get(name) for name in (STORED, UNREAD, NO_ROOM))
    answer = " ".join(map(str, (len(body), *said))).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


async def admit(path: str, headers: Mapping[bytes, bytes]) -> bool:
    assert path == PATH
    return headers[b"authorization"] == KEY


def make(app: Any = tell) -> tuple[AsgiAdapter, Uploads]:
    uploads = Uploads([PATH], admit)
    return AsgiAdapter(app, threads=1, uploads=uploads), uploads


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_uploads, "MAX_MEMORY_BYTES", 4)
    monkeypatch.setattr(asgi_uploads, "MAX_UPLOAD_BYTES", 8)
    monkeypatch.setattr(asgi_uploads, "STALLED_SECONDS", 0.05)


def call_anew(headers: Headers, *parts: Message, **changes: Any) -> tuple[int, bytes]:
    """Call an adapter of its own, check that nothing stays stored; return status and body."""

    async def run() -> list[Message]:
        adapter, uploads = make()
        sent = [*headers, (b"authorization", changes.get("key", KEY))]
        with pytest.MonkeyPatch.context() as patched:
            patched.setitem(SCOPE, "path", changes.get("path", PATH))
            found = await ask(adapter, sent, *parts)
        assert uploads.stored == 0
        return found

    messages = asyncio.run(run())
    return status(messages), messages[1]["body"]


@pytest.mark.parametrize(
    ("headers", "parts"),
    [
        (length(6), [part(b"abc"), part(b"def")]),
        (CHUNKED, [part(b"abc"), part(b"def"), part(b"", more=False)]),
    ],
    ids=["length", "chunked"],
)
def test_a_body_is_kept_until_the_application_has_answered(
    headers: Headers, parts: list[Message]
) -> None:
    assert call_anew(headers, *parts) == (200, b"6 True None None")


@pytest.mark.parametrize("headers", [[], length(0)], ids=["none", "empty"])
def test_a_request_without_a_body_is_not_waited_for(headers: Headers) -> None:
    assert call_anew(headers) == (200, b"0 True None None")


def test_a_body_without_a_valid_key_is_not_read() -> None:
    assert call_anew(length(6), key=b"Bearer bad") == (200, b"0 None True None")


def test_other_paths_are_read_into_memory() -> None:
    body = [part(b"x" * 9)]
    assert call_anew(length(9), *body, path="/other") == (200, b"9 None None None")


def test_a_body_that_is_too_long_is_refused() -> None:
    assert call_anew(length(9))[0] == 413
    assert call_anew(CHUNKED, part(b"abcde"), part(b"fghi"))[0] == 413


def test_all_bodies_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_uploads, "MAX_STORED_BYTES", 5)
    code, _ = call_anew(length(6), part(b"abcdef"))
    assert code == 503


def test_a_body_that_stalls_is_refused_but_may_take_long() -> None:
    assert call_anew(length(6), part(b"abc"))[0] == 408

    async def run() -> int:
        adapter, _ = make()
        parts = [part(b"a") for _ in range(6)]
        sent: list[Message] = []

        async def receive() -> Message:
            await asyncio.sleep(0.02)
            return parts.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        headers = [*length(6), (b"authorization", KEY)]
        await adapter({**SCOPE, "path": PATH, "headers": headers}, receive, send)
        return status(sent)

    assert asyncio.run(run()) == 200


@pytest.mark.parametrize("last", [{"type": "http.disconnect"}, part(b"", more=False)])
def test_a_body_that_was_cut_short_is_refused_and_logged(
    caplog: pytest.LogCaptureFixture, last: Message
) -> None:
    assert call_anew(length(6), part(b"abc"), last)[0] == 400
    assert caplog.messages == ["POST /upload: the body ended before it was complete"]


@pytest.mark.parametrize("buffering", [0, -1])  # It fails when it is written, or read.
def test_on_a_full_disk_the_body_is_read_and_dropped(
    monkeypatch: pytest.MonkeyPatch, buffering: int
) -> None:
    def full(_size: int) -> Any:
        return Path("/dev/full").open("r+b", buffering)

    monkeypatch.setattr(asgi_uploads, "SpooledTemporaryFile", full)
    parts = [part(b"abc"), part(b"def")]
    assert call_anew(length(6), *parts) == (200, b"0 None None True")
