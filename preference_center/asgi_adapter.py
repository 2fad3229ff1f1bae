"""Run a WSGI application on an ASGI server, so that slow bodies occupy no thread.

    asgi_app = AsgiAdapter(wsgi_app, threads=8)

A request gets a thread when its whole body has arrived, so any number of clients may send slowly.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from http import HTTPStatus
from io import BytesIO
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication

from preference_center.asgi_uploads import Message as Message
from preference_center.asgi_uploads import Receive as Receive
from preference_center.asgi_uploads import RefusedBodyError, Uploads

Send = Callable[[Message], Awaitable[None]]

AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

Headers = list[tuple[str, str]]
Refusal = Callable[[str, HTTPStatus], tuple[str, bytes]]
Endpoint = Callable[[str, str, bytes], Awaitable[tuple[Headers, bytes] | None]]

ERROR = "preference_center.error"  # In the environment: the error that an endpoint has raised.
# In the environment: when the request had arrived, by `time.perf_counter`. It may then have to wait
# for a thread.
RECEIVED_AT = "preference_center.received_at"
MAX_BODY_BYTES = 4 * 1024 * 1024  # a long list of provider events
MAX_BUFFERED_BYTES = 64 * 1024 * 1024  # of all bodies that have not arrived completely
SMALL_BODY_BYTES = 4096  # A one-click body is shorter. Such bodies are read in any case.
BODY_SECONDS = 20  # for the whole body
MAX_READ_SECONDS = 120  # in which the client must read a part of a streamed response


class AsgiAdapter:
    """An ASGI application that calls a WSGI application in one of its threads.

    An `endpoint` is called first, with the method, the path and the body. It returns the headers
    and the body of a response with status 200, or None if the application is to answer. If it
    raises an error, the application gets it in the environment, under ERROR.

    `uploads` reads the bodies that may be large, for which the endpoint is not called. Of the
    others, answers 408 if a body takes longer than BODY_SECONDS, 413 if it has more than
    MAX_BODY_BYTES, 400 if it ends before it is complete, and 503 if it is not small and all bodies
    together have more than MAX_BUFFERED_BYTES; `refusal` returns the content type and the text of
    these answers, for a path and a status.

    A response without `Content-Length` is streamed as fast as its client reads, and that to a POST
    ends when the client has gone. If the application fails within it, the last part is not sent,
    and granian breaks the connection, so that the client does not take a part for the whole.
    """

    def __init__(
        self,
        app: WSGIApplication,
        threads: int,
        endpoint: Endpoint | None = None,
        uploads: Uploads | None = None,
        refusal: Refusal = lambda _path, status: ("text/plain", f"{status.phrase}.\n".encode()),
    ) -> None:
        self._app, self._endpoint, self._uploads = app, endpoint, uploads
        self._refusal = refusal
        self._bodies = _Bodies()
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        for _ in range(threads):
            Thread(target=self._work, daemon=True).start()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        upload = None
        try:
            if self._uploads is not None:
                upload = await self._uploads.read(scope, receive)
            body = await self._bodies.read(scope, receive) if upload is None else b""
        except RefusedBodyError as refused:
            await self._refuse(scope["path"], refused.status, send)
            return
        extra: dict[str, Any] = {RECEIVED_AT: time.perf_counter()}
        if upload is not None:
            with closing(upload):
                environ = _environ(scope, upload.file) | extra | upload.environ
                await self._call(environ, receive, send)
            return
        if self._endpoint is not None:
            try:
                answer = await self._endpoint(scope["method"], scope["path"], body)
            except Exception as error:  # noqa: BLE001 (the application answers it)
                answer, extra[ERROR] = None, error
            if answer is not None:
                headers, content = answer
                await send(_start(200, headers))
                await send(_part(content))
                return
        await self._call(_environ(scope, BytesIO(body)) | extra, receive, send)

    async def _call(self, environ: Message, receive: Receive, send: Send) -> None:
        """Call the application in a thread, and send what it answers."""
        call = _Call(environ, send)
        # No other request is answered by a stream.
        is_watched = environ["REQUEST_METHOD"] == "POST"
        watch = asyncio.create_task(call.watch(receive)) if is_watched else None
        self._calls.put(call)
        try:
            start, last = await call.response
        except ConnectionError:
            return
        finally:
            if watch is not None:
                watch.cancel()
        if start is not None:
            await send(start)
        await send(last)

    async def _refuse(self, path: str, status: HTTPStatus, send: Send) -> None:
        """Answer without the application, and close the connection."""
        kind, text = self._refusal(path, status)
        headers = [("Content-Type", kind), ("Content-Length", str(len(text)))]
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers.append(("Retry-After", "60"))
        await send(_start(status, [*headers, ("Connection", "close")]))
        await send(_part(text))

    def _work(self) -> None:
        while True:
            self._calls.get().run(self._app)


class _Bodies:
    """Reads bodies, and counts how many of their bytes are in memory."""

    def __init__(self) -> None:
        self._buffered = 0

    async def read(self, scope: Message, receive: Receive) -> bytes:
        """Return a body, or raise RefusedBodyError."""
        headers = dict(scope["headers"])
        length = int(headers.get(b"content-length", b"0"))
        if length == 0 and b"transfer-encoding" not in headers:
            return b""
        if length > MAX_BODY_BYTES:
            raise RefusedBodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                # A body of known length is complete before the server says so.
                while await self._receive_part(body, receive) and len(body) != length:
                    pass
            if len(body) < length:
                raise RefusedBodyError(HTTPStatus.BAD_REQUEST)
        except TimeoutError:
            raise RefusedBodyError(HTTPStatus.REQUEST_TIMEOUT) from None
        finally:
            self._buffered -= len(body)
        return bytes(body)

    async def _receive_part(self, body: bytearray, receive: Receive) -> bool:
        """Append a part to a body, and return whether there is more."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedBodyError(HTTPStatus.BAD_REQUEST)
        body += message["body"]
        self._buffered += len(message["body"])
        if len(body) > MAX_BODY_BYTES:
            raise RefusedBodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if len(body) > SMALL_BODY_BYTES and self._buffered > MAX_BUFFERED_BYTES:
            raise RefusedBodyError(HTTPStatus.SERVICE_UNAVAILABLE)
        return bool(message["more_body"])


class _Call:
    """One call of the WSGI application.

    `response` becomes the two messages that are left to send: the start, or None if it was sent
    with a streamed body, and the last part of the body.
    """

    def __init__(self, environ: Message, send: Send) -> None:
        self._environ, self._send = environ, send
        self._loop = asyncio.get_running_loop()
        self.response: asyncio.Future[tuple[Message | None, Message]] = self._loop.create_future()
        self._gone = False

    async def watch(self, receive: Receive) -> None:
        """Note when the client has gone. The server sends to it without an error."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True

    def run(self, app: WSGIApplication) -> None:
        """Call the application in this thread."""
        try:
            response = self._call(app)
        except Exception as error:  # noqa: BLE001 # The thread goes on; granian logs the error.
            self._loop.call_soon_threadsafe(self.response.set_exception, error)
        else:
            self._loop.call_soon_threadsafe(self.response.set_result, response)

    def _call(self, app: WSGIApplication) -> tuple[Message | None, Message]:
        started: list[Message] = []

        def start_response(status: str, headers: Headers, _error: Any = None) -> Any:
            started[:] = [_start(int(status[:3]), headers)]

        chunks = app(self._environ, start_response)
        try:
            if started and any(name == b"content-length" for name, _ in started[0]["headers"]):
                return started[0], _part(b"".join(chunks))
            for chunk in chunks:
                self._stream(*started, _part(chunk, more=True))
                started.clear()
            return (started[0] if started else None), _part(b"")
        finally:
            if hasattr(chunks, "close"):
                chunks.close()

    def _stream(self, *messages: Message) -> None:
        """Send messages, and wait until the client has room for more."""
        if self._gone:
            raise ConnectionError
        for message in messages:
            sent = asyncio.run_coroutine_threadsafe(_sent(self._send, message), self._loop)
            try:
                sent.result(MAX_READ_SECONDS)
            except TimeoutError:
                sent.cancel()
                raise ConnectionError from None


async def _sent(send: Send, message: Message) -> None:
    await send(message)


def _environ(scope: Message, body: BinaryIO) -> Message:
    """Return the environment of a request (PEP 3333)."""
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def _add_header(environ: Message, name: str, value: str) -> None:
    if "_" in name:
        return  # It would look like the header with a hyphen, which a proxy may have checked.
    key = name.upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    if key in environ:
        value = f"{environ[key]}{';' if key == 'HTTP_COOKIE' else ','}{value}"
    environ[key] = value


def _start(status: int, headers: Headers) -> Message:
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": int(status), "headers": encoded}


def _part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
