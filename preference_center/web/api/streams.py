"""Answer large requests in constant memory: lines in and lines out, or a file out.

The body is in a temporary file before the first line is answered, so that a client may send all of
it before it reads. The last line of an answer has `done`. If it is missing, the answer is not
complete; a failure after the first line is a last line with `problem`. A file has no such line: a
failure breaks the connection, which every HTTP client reports.
"""

import gzip
import json
import logging
import os
import shutil
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from io import BufferedReader
from itertools import chain
from tempfile import SpooledTemporaryFile
from threading import BoundedSemaphore
from typing import Any, BinaryIO, cast

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from preference_center.asgi_uploads import MAX_MEMORY_BYTES, MAX_UPLOAD_BYTES, STORED, UNREAD
from preference_center.core.errors import Refusal
from preference_center.core.processes import UnsubscribesWaitingError
from preference_center.data.tabular import FileRefusedError
from preference_center.store import UnavailableError
from preference_center.util.logs import log_unexpected
from preference_center.web.api import problems
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.services import services

log = logging.getLogger(__name__)

NDJSON, CSV, ZIP = "application/x-ndjson", "text/csv", "application/zip"
MAX_STREAMS = 4  # in each process, of requests with a long body
MAX_EXPORTS = 4  # in each process; each keeps a connection to the database
MAX_BYTES = MAX_UPLOAD_BYTES  # of a body that was compressed
MAX_RATIO = 200  # of its size to that of the body as it was sent; text seldom reaches 50
RATIO_MATTERS = 1_048_576  # bytes; what unpacks to less is never refused for its ratio
MAX_LINES = 10_000_000  # of a body, empty ones included: reading one costs time, however short
RETRY_SECONDS = 10
_CHUNK = 65_536  # bytes
_CHUNK_SECONDS = 1.0  # until a line is sent that does not fill a chunk
_GZIP = 16 + zlib.MAX_WBITS

Line = Mapping[str, Any]


def answer_lines(make: Callable[[BinaryIO], Generator[Line]]) -> Response:
    """Return the lines that `make` yields for the body, which may be compressed with gzip.

    The first line is made before the response begins, so that what goes wrong until then has a
    status of its own. Raise Problem if the body cannot be used or MAX_STREAMS are in progress.
    """
    with ExitStack() as stack:
        size = stack.enter_context(_slot(file := stack.enter_context(_body())))
        try:
            lines = stack.enter_context(closing(make(_checked(_decoded(file), size))))
            first = next(lines)
        except (FileRefusedError, UnsubscribesWaitingError) as error:
            raise _problem_of(error) from None
        public_url = services().settings.public_url
        return _answer(_chunks(_ended(chain([first], lines), public_url)), NDJSON, stack)


def answer_file(parts: Generator[bytes], media_type: str) -> Response:
    """Return what `parts` yields. If it fails after its first part, the connection is broken.

    Raise what it raises until then, and Problem if the client cannot notice a broken connection.
    """
    if request.environ["SERVER_PROTOCOL"] in ("HTTP/1", "HTTP/1.0"):
        raise Problem(ProblemKind.OLD_HTTP)
    with ExitStack() as stack:
        first = next(stack.enter_context(closing(parts)))
        return _answer(_unfinished(chain([first], parts)), media_type, stack)


def _answer(chunks: Iterator[bytes], media_type: str, stack: ExitStack) -> Response:
    """Return a response of these chunks, which closes what is on the stack when it ends."""
    response = Response(chunks, mimetype=media_type)
    if request.accept_encodings["gzip"] > 0:
        response.response = _compressed(chunks)
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.call_on_close(stack.pop_all().close)
    return response


def _unfinished(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield parts. If they fail, raise ConnectionAbortedError: the server breaks the connection."""
    try:
        for part in parts:
            yield from (part[at : at + _CHUNK] for at in range(0, len(part), _CHUNK))
    except Exception as error:  # noqa: BLE001 (the response has begun)
        _problem_of(error)
        raise ConnectionAbortedError from None


@contextmanager
def _body() -> Iterator[BinaryIO]:
    """Yield the body as a file. Under ASGI it is one already."""
    if request.environ.get(UNREAD):
        raise Problem(ProblemKind.UNAVAILABLE, headers=_retry())
    if request.environ.get(STORED):
        yield request.environ["wsgi.input"]
        return
    with SpooledTemporaryFile(MAX_MEMORY_BYTES) as file:
        request.max_content_length = MAX_UPLOAD_BYTES + 1  # Werkzeug truncates a chunked body.
        shutil.copyfileobj(request.stream, file)
        if file.tell() > MAX_UPLOAD_BYTES:
            raise RequestEntityTooLarge
        file.seek(0)
        yield cast(BinaryIO, file)


@contextmanager
def _slot(file: BinaryIO) -> Iterator[int]:
    """Occupy one of MAX_STREAMS, unless the body is short; yield its size in bytes."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= MAX_MEMORY_BYTES and not request.content_encoding:
        yield size
        return
    with occupied(services().streams):
        yield size


@contextmanager
def occupied(slots: BoundedSemaphore) -> Iterator[None]:
    """Occupy one of the slots, or raise Problem if none is free."""
    if not slots.acquire(blocking=False):
        raise Problem(ProblemKind.BUSY, headers=_retry())
    try:
        yield
    finally:
        slots.release()


def _retry() -> dict[str, str]:
    return {"Retry-After": str(RETRY_SECONDS)}


def _decoded(file: BinaryIO) -> BinaryIO:
    encoding = (request.content_encoding or "identity").strip().lower()
    if encoding == "gzip":
        # Buffered: a body of many small members would be read a few bytes at a time.
        return cast(BinaryIO, BufferedReader(gzip.GzipFile(fileobj=file, mode="rb"), _CHUNK))
    if encoding != "identity":
        raise Problem(ProblemKind.UNSUPPORTED_TYPE, "The only Content-Encoding is gzip.")
    return file


def _checked(file: BinaryIO, sent_bytes: int) -> BinaryIO:
    """Return a body at its beginning, or raise Problem before any of it is used.

    It is damaged, too long, or unpacks to much more than was sent. A small body may not cost the
    work of a large one.
    """
    size = feeds = returns = 0
    limit = min(MAX_BYTES, max(sent_bytes * MAX_RATIO, RATIO_MATTERS))
    try:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            feeds, returns = feeds + chunk.count(b"\n"), returns + chunk.count(b"\r")
            if size > limit:
                raise Problem(ProblemKind.TOO_LARGE, f"It unpacks to more than {limit:,} bytes.")
            if max(feeds, returns) > MAX_LINES:
                raise Problem(ProblemKind.TOO_LARGE, f"It has more than {MAX_LINES:,} lines.")
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Problem(ProblemKind.INVALID_REQUEST, "The body is not gzip.") from None
    file.seek(0)
    return file


def _chunks(lines: Iterator[Line]) -> Iterator[bytes]:
    """Yield lines as JSON, many at once."""
    buffered, size, sent_at = list[str](), 0, time.monotonic()
    for line in lines:
        buffered.append(json.dumps(line, separators=(",", ":")) + "\n")
        size += len(buffered[-1])
        if size >= _CHUNK or time.monotonic() > sent_at + _CHUNK_SECONDS:
            yield "".join(buffered).encode()
            buffered, size, sent_at = [], 0, time.monotonic()
    if buffered:
        yield "".join(buffered).encode()


def _compressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=_GZIP)
    for chunk in chunks:
        # Flushed, because the next one may be late.
        yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def _ended(lines: Iterator[Line], public_url: str) -> Iterator[Line]:
    """Yield lines. If they fail, end with the problem."""
    try:
        yield from lines
    except Exception as error:  # noqa: BLE001 (the response has begun)
        yield {"problem": problems.described(_problem_of(error), public_url)}


def _problem_of(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case FileRefusedError():
            return Problem(ProblemKind.INVALID_REQUEST, str(error))
        case UnsubscribesWaitingError():
            log.error("%s", error)
            return Problem(ProblemKind.UNSUBSCRIBES_WAITING, headers=_retry())
        case UnavailableError():
            log.error("%s", error)
            return Problem(ProblemKind.UNAVAILABLE)
        case Refusal():
            return Problem(ProblemKind.CONFLICT, str(error))
    log_unexpected(log, "a stream", error)
    return Problem(ProblemKind.SERVER_ERROR)
