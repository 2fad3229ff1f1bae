"""Ask the JSON API who may be emailed now. This module needs the standard library only.

    client = Client("https://mail.example.org", key)
    people = [{"email": "ada@example.org", "name": "Ada"}]
    for answer in client.audience(people, topic="weekly-news", campaign="2026-47", claim=True):
        if answer.get("verdict") == "allow":
            send(answer)

Copy this file to a machine that has nothing else of Preference Center, if you like.
"""

import gzip
import json
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import BufferedReader
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

TIMEOUT = 120.0  # seconds without a byte
_MEMORY = 1_048_576  # bytes; what is longer is in a temporary file
_GZIP = 16 + zlib.MAX_WBITS
_SMALL = 65_536  # bytes; a body that is shorter is not compressed

Line = Mapping[str, Any]


class ClientError(Exception):
    """The API gave no complete answer. Send nothing."""


class ProblemError(ClientError):
    """The API answered with a problem (RFC 9457).

    Attributes:
        status: the HTTP status.
        problem: the problem; empty if the answer came from another program, like a proxy.
        retry_after: seconds after which to try again, or None.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: int | None) -> None:
        super().__init__(_text(problem) or f"the server answered HTTP status {status}")
        self.status, self.problem, self.retry_after = status, problem, retry_after


class RefusedError(ProblemError):
    """The request cannot be answered, for example because its key was revoked."""


class UnavailableError(ProblemError):
    """The API cannot answer now. Try again."""


class IncompleteError(ClientError):
    """The answer was cut off, or ended with a problem."""


class Released(NamedTuple):
    """How many claims were released, and the answers to lines that were refused."""

    claims: int
    refused: Iterator[dict[str, Any]]


class Client:
    """The API of one installation. It may be shared between threads.

    `url` is the installation's `PUBLIC_URL`, and `key` an API key with the scope `audience`.
    Methods raise ClientError.
    """

    def __init__(self, url: str, key: str, *, timeout: float = TIMEOUT) -> None:
        self._url, self._key, self._timeout = url.rstrip("/"), key.strip(), timeout
        self._opener = build_opener(_Http, _Https, _NoRedirect)

    def audience(
        self, people: Iterable[str | Line], *, topic: str, campaign: str, claim: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Return the answer to each of `people`, in their order, once all of them have come.

        Each is an address, or a mapping with `email` or `id`, whose other members come back in
        `row`. Any number of people and answers is kept in temporary files. An answer has a
        `verdict`, or an `error` if the line was refused. docs/api.md lists the members.
        """
        query = {"topic": topic, "campaign": campaign, **({"claim": "true"} if claim else {})}
        return self._ask_about_each(people, query)

    def transactional(self, people: Iterable[str | Line]) -> Iterator[dict[str, Any]]:
        """Return the answers about an email that people need, like a receipt, as `audience`."""
        return self._ask_about_each(people, {"kind": "transactional"})

    def release(self, people: Iterable[str | Line], *, topic: str, campaign: str) -> Released:
        """Release the claims of emails that were not sent to `people`.

        A mapping whose `verdict` is not `allow` is skipped, as it has no claim.
        """
        query = {"topic": topic, "campaign": campaign, "release": "true"}
        _, refused, counts = self._ask(people, query)
        return Released(counts["released"], refused)

    def _ask_about_each(
        self, people: Iterable[str | Line], query: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        asked, answers, counts = self._ask(people, query)
        if sum(counts.values()) != asked:
            raise IncompleteError("the answer has another number of lines than the request")
        return answers

    def _ask(
        self, people: Iterable[str | Line], query: Mapping[str, str]
    ) -> tuple[int, Iterator[dict[str, Any]], Mapping[str, int]]:
        """Return how many lines were sent, the lines of the answer, and its counts."""
        body, answer = _Body(), SpooledTemporaryFile[bytes](_MEMORY)
        lines = _lines(answer)
        weakref.finalize(lines, answer.close)
        with body.file:
            for each in people:
                body.write({"email": each} if isinstance(each, str) else each)
            last = self._receive(self._request(query, body), answer)
        return body.lines, lines, last["counts"]

    def _request(self, query: Mapping[str, str], body: "_Body") -> Request:
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/x-ndjson",
            "Accept-Encoding": "gzip",
            **body.finish(),
        }
        url = f"{self._url}/api/v1/audience?{urlencode(query)}"
        return Request(url, body.file, headers, method="POST")  # noqa: S310 (the caller's URL)

    def _receive(self, request: Request, answer: "SpooledTemporaryFile[bytes]") -> dict[str, Any]:
        """Write all lines but the last to `answer`, and return the last if it has `done`."""
        line = b""
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                for following in _decoded(response):
                    answer.write(line)
                    line = following
        except HTTPError as error:
            raise _refused(error) from None
        except URLError as error:
            raise ClientError(f"the server cannot be reached: {error.reason}") from None
        except (HTTPException, EOFError, OSError, zlib.error) as error:
            raise IncompleteError(f"the answer was cut off ({type(error).__name__})") from None
        answer.seek(0)
        return _done(line)


class _Body:
    """Lines in a temporary file. A long body is compressed; a short one is answered sooner."""

    def __init__(self) -> None:
        self.file, self.lines = SpooledTemporaryFile[bytes](_MEMORY), 0
        self._pending = bytearray()
        self._packer = zlib.compressobj(wbits=_GZIP)

    def write(self, line: Line) -> None:
        self.lines += 1
        self._pending += json.dumps(dict(line) or {"email": ""}).encode() + b"\n"
        if len(self._pending) > _SMALL:
            self.file.write(self._packer.compress(self._pending))
            self._pending.clear()

    def finish(self) -> dict[str, str]:
        """Return the headers of the body."""
        headers = {}
        if self.file.tell():
            self._pending[:] = self._packer.compress(self._pending) + self._packer.flush()
            headers["Content-Encoding"] = "gzip"
        self.file.write(self._pending)
        headers["Content-Length"] = str(self.file.tell())
        self.file.seek(0)
        return headers


def _decoded(response: HTTPResponse) -> Iterator[bytes]:
    if response.headers.get("Content-Encoding") == "gzip":
        with gzip.GzipFile(fileobj=response) as unpacked:
            yield from unpacked
    else:
        yield from BufferedReader(response)


def _lines(answer: "SpooledTemporaryFile[bytes]") -> Iterator[dict[str, Any]]:
    with answer:
        for line in answer:
            yield json.loads(line)


def _done(line: bytes) -> dict[str, Any]:
    """Return the last line of an answer, or raise IncompleteError."""
    try:
        last = json.loads(line)
    except ValueError:
        raise IncompleteError("the answer was cut off") from None
    if isinstance(last, dict) and last.get("done") is True:
        return last
    problem = last.get("problem") if isinstance(last, dict) else None
    raise IncompleteError(_text(problem or {}) or "the answer was cut off")


def _refused(error: HTTPError) -> ProblemError:
    with error:
        try:
            problem = json.loads(error.read(_SMALL))
        except (ValueError, OSError, HTTPException):
            problem = {}
    after = error.headers.get("Retry-After", "")
    wait = int(after) if after.isdecimal() else None
    passing = error.code >= 500 or error.code in (408, 429)
    kind = UnavailableError if passing else RefusedError
    return kind(error.code, problem if isinstance(problem, dict) else {}, wait)


def _text(problem: Mapping[str, Any]) -> str:
    texts = (problem.get("title"), problem.get("detail"))
    return " ".join(str(each) for each in texts if each).removesuffix(".")


class _EarlyAnswer(HTTPConnection):
    """A connection whose server may answer, and close it, before it has read the whole body."""

    def request(self, *arguments: Any, **options: Any) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            super().request(*arguments, **options)


class _SecureEarlyAnswer(_EarlyAnswer, HTTPSConnection):
    """The same over TLS."""


class _Http(HTTPHandler):
    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(_EarlyAnswer, request)


class _Https(HTTPSHandler):
    def https_open(self, request: Request) -> HTTPResponse:
        return self.do_open(_SecureEarlyAnswer, request)


class _NoRedirect(HTTPRedirectHandler):
    """Follow no redirect: the key is for this server only."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None
