"""The adapter that runs the WSGI application."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from threading import get_ident
from typing import Any
from wsgiref.types import WSGIApplication
from wsgiref.validate import validator

import pytest

from preference_center import asgi_adapter
from preference_center.asgi_adapter import AsgiAdapter, Message

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "scheme": "http",
    "path": "/u/aä/.b",
    "raw_path": b"/u/a%C3%A4%2F.b",
    "query_string": b"x=%20",
    "server": ("127.0.0.1", "8000"),
    "client": ("192.0.2.1", "50000"),
}
CHUNKED = [(b"transfer-encoding", b"chunked")]


def length(count: int) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", str(count).encode())]


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def ask(
    adapter: AsgiAdapter, headers: list[tuple[bytes, bytes]], *parts: Message
) -> list[Message]:
    """Send a request, which stalls after `parts`; return the messages of the response."""
    sent: list[Message] = []
    waiting = iter(parts)

    async def receive() -> Message:
        for message in waiting:
            return message
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await adapter({**SCOPE, "headers": headers}, receive, send)
    return sent


def call(
    app: WSGIApplication, headers: list[tuple[bytes, bytes]], *parts: Message
) -> list[Message]:
    """Send a request as `ask` does, to an adapter of its own."""
    return asyncio.run(ask(AsgiAdapter(app, threads=2), headers, *parts))


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the body of the request."""
    body = environ["wsgi.input"].read(100)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def refuse_to_be_called(*_: Any) -> Iterable[bytes]:
    raise AssertionError


def status(messages: list[Message]) -> int:
    return int(messages[0]["status"])


@pytest.mark.parametrize(
    ("headers", "parts"),
    [
        (length(6), [part(b"abc"), part(b"def")]),
        (CHUNKED, [part(b"abc"), part(b"def"), part(b"", more=False)]),
    ],
    ids=["length", "chunked"],
)
def test_the_application_gets_the_whole_body(
    headers: list[tuple[bytes, bytes]], parts: list[Message]
) -> None:
    start, end = call(validator(echo), headers, *parts)
    assert (start["status"], dict(start["headers"])[b"content-length"]) == (200, b"6")
    assert end == {"type": "http.response.body", "body": b"abcdef", "more_body": False}


@pytest.mark.parametrize("headers", [[], length(0)], ids=["none", "empty"])
def test_a_request_without_a_body_is_not_waited_for(headers: list[tuple[bytes, bytes]]) -> None:
    assert call(echo, headers)[1]["body"] == b""


def test_the_environment_is_that_of_pep_3333() -> None:
    found: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found.update(environ)
        return echo(environ, start_response)

    headers = [
        (b"host", b"mail.example.org"),
        (b"content-type", b"text/plain"),
        (b"accept", b"a"),
        (b"accept", b"b"),
        (b"cookie", b"a=\xff"),
        (b"cookie", b"b=1"),
        (b"x_forwarded_for", b"198.51.100.7"),
    ]
    call(validator(app), headers)
    assert (
        found.items()
        >= {
            "PATH_INFO": "/u/aÃ¤/.b",
            "QUERY_STRING": "x=%20",
            "REMOTE_ADDR": "192.0.2.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "text/plain",
            "HTTP_HOST": "mail.example.org",
            "HTTP_ACCEPT": "a,b",
            "HTTP_COOKIE": "a=ÿ;b=1",
        }.items()
    )
    assert "HTTP_X_FORWARDED_FOR" not in found


def test_a_long_body_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_adapter, "MAX_BODY_BYTES", 5)
    assert status(call(refuse_to_be_called, length(6))) == 413
    assert status(call(refuse_to_be_called, CHUNKED, part(b"abc"), part(b"def"))) == 413
    assert status(call(echo, length(5), part(b"abcde"))) == 200


def test_a_body_is_refused_if_others_fill_the_memory_unless_it_is_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asgi_adapter, "MAX_BUFFERED_BYTES", 8000)
    monkeypatch.setattr(asgi_adapter, "BODY_SECONDS", 0.2)

    async def call_together() -> list[int]:
        adapter = AsgiAdapter(echo, threads=1)
        stalled = [asyncio.create_task(post(adapter, 5000, b"x" * 3999)) for _ in range(3)]
        await asyncio.sleep(0)  # until each has sent what it sends
        together = [await post(adapter, 5000, b"x" * 5000), await post(adapter, 4096, b"x" * 4096)]
        await asyncio.gather(*stalled)
        return [*together, await post(adapter, 5000, b"x" * 5000)]

    assert asyncio.run(call_together()) == [503, 200, 200]


async def post(adapter: AsgiAdapter, size: int, sent: bytes) -> int:
    """Post a body of `size` bytes of which only `sent` arrive; return the status."""
    return status(await ask(adapter, length(size), part(sent)))


@pytest.mark.parametrize("headers", [length(6), CHUNKED], ids=["length", "chunked"])
def test_a_slow_body_is_refused(
    monkeypatch: pytest.MonkeyPatch, headers: list[tuple[bytes, bytes]]
) -> None:
    monkeypatch.setattr(asgi_adapter, "BODY_SECONDS", 0.01)
    start, _ = call(refuse_to_be_called, headers, part(b"abc"))
    assert (start["status"], dict(start["headers"])[b"connection"]) == (408, b"close")


def test_a_refusal_says_what_its_path_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_adapter, "MAX_BODY_BYTES", 5)

    def refusal(path: str, status: int) -> tuple[str, bytes]:
        return "application/json", f"{path} {status:d}".encode()

    adapter = AsgiAdapter(refuse_to_be_called, threads=1, refusal=refusal)
    start, body = asyncio.run(ask(adapter, length(6)))
    assert (start["status"], dict(start["headers"])[b"content-type"]) == (413, b"application/json")
    assert body["body"] == "/u/aä/.b 413".encode()


@pytest.mark.parametrize(
    ("headers", "last"),
    [
        (length(6), {"type": "http.disconnect"}),
        (CHUNKED, {"type": "http.disconnect"}),
        (length(6), part(b"", more=False)),
    ],
    ids=["length", "chunked", "ended"],
)
def test_a_body_that_was_cut_short_is_refused(
    headers: list[tuple[bytes, bytes]], last: Message
) -> None:
    start, _ = call(refuse_to_be_called, headers, part(b"abc"), last)
    assert (start["status"], dict(start["headers"])[b"connection"]) == (400, b"close")


def test_a_response_without_a_length_is_streamed_and_closed() -> None:
    threads: set[int] = set()

    class Chunks:
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            for chunk in (b"a", b"b"):
                threads.add(get_ident())
                yield chunk

        def close(self) -> None:
            Chunks.closed = True

    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Chunks()

    start, *parts = call(app, [])
    assert start["status"] == 200
    assert [(each["body"], each["more_body"]) for each in parts] == [
        (b"a", True),
        (b"b", True),
        (b"", False),
    ]
    assert (Chunks.closed, len(threads)) == (True, 1)


@pytest.mark.parametrize("reads", [True, False])
def test_a_client_that_reads_nothing_occupies_no_thread(
    monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    monkeypatch.setattr(asgi_adapter, "MAX_READ_SECONDS", 0.05)
    closed: list[bool] = []

    def chunks() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return chunks()

    async def run() -> list[bytes]:
        sent: list[bytes] = []

        async def send(message: Message) -> None:
            if message.get("body") and not reads:
                await asyncio.sleep(3600)
            sent.append(message.get("body", b""))

        async def receive() -> Message:
            raise AssertionError

        answer = AsgiAdapter(app, threads=1)({**SCOPE, "headers": []}, receive, send)
        await asyncio.wait_for(answer, 2)
        return sent

    assert asyncio.run(run()) == ([b"", b"a", b"b", b""] if reads else [b""])
    assert closed == [True]


def test_an_error_of_the_application_is_raised_and_its_thread_goes_on() -> None:
    async def call_twice() -> list[Message]:
        adapter = AsgiAdapter(refuse_a_body, threads=1)
        with pytest.raises(ZeroDivisionError):
            await ask(adapter, length(1), part(b"a"))
        return await ask(adapter, [])

    assert status(asyncio.run(call_twice())) == 200


def refuse_a_body(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if "CONTENT_LENGTH" in environ:
        raise ZeroDivisionError
    return echo(environ, start_response)
