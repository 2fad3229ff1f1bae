"""Ask the JSON API who may be emailed now, export and import. Needs the standard library only.

    client = Client("https://mail.example.org", key)
    people = [{"email": "ada@example.org", "name": "Ada"}]
    for answer in client.audience(people, topic="weekly-news", campaign="2026-47", claim=True):
        if answer.get("verdict") == "allow":
            send(answer)
    client.export("suppressions", "suppressions.csv")
    client.import_file("bounced.csv", status="bounced")

This file can be copied to a machine without the rest of Preference Center.
"""

import gzip
import json
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import BufferedReader
from pathlib import Path
from tempfile import NamedTemporaryFile, SpooledTemporaryFile
from typing import IO, Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

TIMEOUT = 120.0  # seconds without a byte
_MEMORY = 1_048_576  # bytes; what is longer is in a temporary file
_GZIP = 16 + zlib.MAX_WBITS
_SMALL = 65_536  # bytes; a body that is shorter is not compressed
# Of files to import; any other is CSV.
_TYPES = {
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".json": "application/json",
    ".zip": "application/zip",
}

Line = Mapping[str, Any]


class ClientError(Exception):
    """The API gave no complete answer. Send nothing, and use no part of an export."""


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


class Imported(NamedTuple):
    """What an import did: its counts and findings, and a line about each refused row or warning."""

    counts: Mapping[str, int]
    findings: Mapping[str, Any]
    lines: Iterator[dict[str, Any]]


class Client:
    """The API of one installation. It may be shared between threads.

    `url` is the installation's `PUBLIC_URL`, and `key` an API key with the scope of what is asked:
    `audience`, `exports` or `imports`. Methods raise ClientError.
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
        """Return the answers for an email that people need, like a receipt, as `audience` does."""
        return self._ask_about_each(people, {"kind": "transactional"})

    def release(self, people: Iterable[str | Line], *, topic: str, campaign: str) -> Released:
        """Release the claims of emails that were not sent to `people`.

        A mapping whose `verdict` is not `allow` is skipped, as it has no claim.
        """
        query = {"topic": topic, "campaign": campaign, "release": "true"}
        _, refused, counts = self._ask(people, query)
        return Released(counts["released"], refused)

    def export(
        self,
        what: str,
        path: str | Path,
        *,
        file_format: str = "csv",
        **filters: str | datetime,
    ) -> None:
        """Export to a file, which appears under its name, for its owner only, when it is complete.

        `what`, `file_format` and `filters` are those of the API: docs/api.md lists them. Times have
        a zone.
        """
        asked = {"what": what, "format": file_format, **filters}
        body = json.dumps(asked, default=datetime.isoformat).encode()
        request = self._request("exports", [], body, {"Content-Type": "application/json"})
        target = Path(path)
        with NamedTemporaryFile(dir=target.absolute().parent, delete=False) as file:
            try:
                file.writelines(self._read(request))
                file.close()
                Path(file.name).replace(target)
            finally:
                Path(file.name).unlink(missing_ok=True)

    def import_file(
        self,
        path: str | Path,
        *,
        written_by: str | None = None,
        topic: str | None = None,
        status: str | None = None,
        ignore_columns: Iterable[str] = (),
        create_topics: bool = False,
        dry_run: bool = False,
    ) -> Imported:
        """Import a file of JSON Lines if its name ends in .jsonl or .ndjson, or of CSV.

        `written_by` is the name of another system whose file it is, or `auto`; it may end in .json
        or .zip then. If it raises ClientError, a part of the file may be imported. Import it again.
        """
        options = {"from": written_by, "topic": topic, "status": status}
        query = [(name, value) for name, value in options.items() if value is not None]
        query += [("ignore_column", each) for each in ignore_columns]
        flags = {"create_topics": create_topics, "dry_run": dry_run}
        query += [(name, "true") for name, value in flags.items() if value]
        headers = {
            "Content-Type": _TYPES.get(Path(path).suffix.lower(), "text/csv"),
            "Content-Length": str(Path(path).stat().st_size),
        }
        with Path(path).open("rb") as file:
            last, lines = self._receive(self._request("imports", query, file, headers))
        about_rows = (each for each in lines if "line" in each)
        return Imported(last["counts"], last["findings"], about_rows)

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
        body = _Body()
        with body.file:
            for each in people:
                body.write({"email": each} if isinstance(each, str) else each)
            headers = {"Content-Type": "application/x-ndjson", **body.finish()}
            request = self._request("audience", list(query.items()), body.file, headers)
            last, lines = self._receive(request)
        return body.lines, lines, last["counts"]

    def _request(
        self,
        path: str,
        query: list[tuple[str, str]],
        body: bytes | IO[bytes],
        headers: Mapping[str, str],
    ) -> Request:
        common = {"Authorization": f"Bearer {self._key}", "Accept-Encoding": "gzip"}
        url = f"{self._url}/api/v1/{path}" + (f"?{urlencode(query)}" if query else "")
        return Request(url, body, {**common, **headers}, method="POST")  # noqa: S310 (the caller's)

    def _receive(self, request: Request) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
        """Return the last line, which has `done`, and all lines before it."""
        answer, line = SpooledTemporaryFile[bytes](_MEMORY), b""
        lines = _lines(answer)
        weakref.finalize(lines, answer.close)
        for following in self._read(request):
            answer.write(line)
            line = following
        answer.seek(0)
        return _done(line), lines

    def _read(self, request: Request) -> Iterator[bytes]:
        """Yield the lines of the answer, or raise ClientError if they are not all of them."""
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                yield from _decoded(response)
        except HTTPError as error:
            raise _refused(error) from None
        except URLError as error:
            raise ClientError(f"the server cannot be reached: {error.reason}") from None
        except (HTTPException, EOFError, OSError, zlib.error) as error:
            raise IncompleteError(f"the answer was cut off ({type(error).__name__})") from None


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
