"""Errors of the API as problem details (RFC 9457). This is the only list of their kinds."""

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from flask import Response, request

from preference_center.web.services import services

CONTENT_TYPE = "application/problem+json"
PREFIX = "/api/"  # of the paths of the API, below the path of PUBLIC_URL


class ProblemKind(Enum):
    """A kind of problem: the end of its `type`, its status, its title, and what to do about it."""

    INVALID_JSON = (
        "invalid-json",
        400,
        "The body is not JSON.",
        "It must be one JSON value in UTF-8.",
    )
    INCOMPLETE_BODY = (
        "incomplete-body",
        400,
        "The body ended before it was complete.",
        "It has fewer bytes than `Content-Length` says, or its last chunk is missing. Nothing was "
        "done: send the request again.",
    )
    INVALID_REQUEST = (
        "invalid-request",
        422,
        "The request does not match its schema.",
        "`errors` says what is wrong with which part.",
    )
    UNAUTHORIZED = (
        "unauthorized",
        401,
        "A valid API key is needed.",
        "Send `Authorization: Bearer KEY`. The key may be mistyped, revoked or expired.",
    )
    MISSING_SCOPE = (
        "missing-scope",
        403,
        "The API key lacks a scope.",
        "`detail` names it. The scopes of a key never change: create another key.",
    )
    TEST_KEY = (
        "test-key",
        403,
        "A test key acts on reserved addresses only.",
        "Use an address like `ada@example.org`, or a key that begins with `pc_live_`.",
    )
    NOT_FOUND = ("not-found", 404, "There is nothing here.", "Check the path and the ids in it.")
    UNKNOWN_TOPIC = (
        "unknown-topic",
        404,
        "There is no such topic.",
        "`GET /topics` lists all topics, and `POST /topics` adds one.",
    )
    UNKNOWN_SUBSCRIBER = (
        "unknown-subscriber",
        404,
        "There is no such subscriber.",
        "An id that is not on record can be unsubscribed, suppressed and erased nevertheless.",
    )
    METHOD_NOT_ALLOWED = (
        "method-not-allowed",
        405,
        "This method is not allowed here.",
        "`Allow` lists those that are.",
    )
    TOO_SLOW = ("too-slow", 408, "The body took too long to arrive.", "Send the request again.")
    CONFLICT = (
        "conflict",
        409,
        "The request conflicts with what is on record.",
        "`detail` says with what. The same request would conflict again.",
    )
    KEY_IN_USE = (
        "idempotency-key-in-use",
        409,
        "A request with this key is being made.",
        "Send the same request again in a minute, to get its answer.",
    )
    CURSOR_EXPIRED = (
        "cursor-expired",
        410,
        "The cursor is older than what is kept.",
        "Load the `exports` that the problem names, then go on with its `cursor`.",
    )
    PRECONDITION_FAILED = (
        "precondition-failed",
        412,
        "The record has changed since it was read.",
        "Read it again, and send the new `ETag` in `If-Match`.",
    )
    TOO_LARGE = ("too-large", 413, "The body is too large.", "Send several smaller requests.")
    UNSUPPORTED_TYPE = (
        "unsupported-type",
        415,
        "The body has an unsupported type.",
        "Send one of the types that the endpoint lists, in `Content-Type`.",
    )
    KEY_REUSED = (
        "idempotency-key-reused",
        422,
        "This key was sent with another request.",
        "Choose a new `Idempotency-Key` for each change.",
    )
    TOO_MANY_REQUESTS = (
        "too-many-requests",
        429,
        "There are too many requests.",
        "Wait as many seconds as `Retry-After` says. `RateLimit` says how many requests remain.",
    )
    SERVER_ERROR = (
        "server-error",
        500,
        "Something went wrong.",
        "The log of the server says what. Repeat a write with its `Idempotency-Key`.",
    )
    UNAVAILABLE = (
        "unavailable",
        503,
        "The database cannot be used now. Try again.",
        "Nothing is known about a recipient until then: send no email.",
    )
    BUSY = (
        "busy",
        503,
        "Too many requests like this one are in progress. Try again.",
        "Wait as many seconds as `Retry-After` says.",
    )
    UNSUBSCRIBES_WAITING = (
        "unsubscribes-waiting",
        503,
        "Unsubscribes may wait in a spool, so that no email may be sent now. Try again.",
        "`preference-center spool status` shows them.",
    )
    OLD_HTTP = (
        "old-http",
        505,
        "HTTP/1.1 is needed.",
        "With HTTP/1.0, a part of an export looks like the whole. If a proxy asks in this version: "
        "nginx needs `proxy_http_version 1.1`.",
    )
    NO_ROOM = (
        "no-room",
        507,
        "The server has no room for the body now.",
        "Send the request again later, or several smaller ones.",
    )

    def __init__(self, code: str, status: int, title: str, advice: str = "") -> None:
        self.code, self.status, self.title, self.advice = code, status, title, advice


# Those whose status stands for another kind elsewhere.
_REFUSED_BODIES = {
    HTTPStatus.BAD_REQUEST: ProblemKind.INCOMPLETE_BODY,
    HTTPStatus.SERVICE_UNAVAILABLE: ProblemKind.BUSY,
}


class Problem(Exception):
    """A request that is answered with a problem.

    `errors` are the faults of an invalid request: a JSON pointer (RFC 6901) and a sentence each.
    `extra` are further members of the problem.
    """

    def __init__(
        self,
        kind: ProblemKind,
        detail: str = "",
        *,
        errors: Iterable[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or kind.title)
        self.kind, self.detail = kind, detail
        self.errors, self.headers, self.extra = list(errors), headers or {}, extra


def type_of(kind: ProblemKind, public_url: str) -> str:
    """Return the `type` of a kind, which leads to its description."""
    return f"{public_url}/api/docs#{kind.code}"


def described(problem: Problem, public_url: str) -> dict[str, Any]:
    """Return the JSON object that describes a problem."""
    kind = problem.kind
    body: dict[str, Any] = {
        "type": type_of(kind, public_url),
        "title": kind.title,
        "status": kind.status,
    }
    if problem.detail:
        body["detail"] = problem.detail
    if problem.errors:
        body["errors"] = problem.errors
    return body | problem.extra


def response(problem: Problem) -> Response:
    """Return the response that describes a problem."""
    text = json.dumps(described(problem, services().settings.public_url))
    made = Response(text, problem.kind.status, content_type=CONTENT_TYPE)
    made.headers.update(problem.headers)
    return made


def of_status(status: int, detail: str = "") -> Problem:
    """Return the problem for an HTTP status that no view has chosen."""
    kinds = {each.status: each for each in reversed(ProblemKind)}
    return Problem(kinds.get(status, ProblemKind.INVALID_REQUEST), detail)


def is_api_path() -> bool:
    """Return True if the current request is for the API."""
    return _is_of_api(request.path, services().settings.public_url)


def of_refused_body(public_url: str, path: str, status: HTTPStatus) -> tuple[str, bytes]:
    """Return the content type and the text of an answer to a body that was not read (ASGI)."""
    if not _is_of_api(path, public_url):
        return "text/plain", f"{status.phrase}.\n".encode()
    problem = Problem(_REFUSED_BODIES[status]) if status in _REFUSED_BODIES else of_status(status)
    return CONTENT_TYPE, json.dumps(described(problem, public_url)).encode()


def _is_of_api(path: str, public_url: str) -> bool:
    return path.startswith(urlsplit(public_url).path + PREFIX)
