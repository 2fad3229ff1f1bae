"""Errors of the API as problem details (RFC 9457). This is the only list of their kinds."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from flask import Response, json, request

from preference_center.web.services import services

CONTENT_TYPE = "application/problem+json"
PREFIX = "/api/"  # of the paths of the API, below the path of PUBLIC_URL


class ProblemKind(Enum):
    """A kind of problem: the end of its `type`, its status, and its title."""

    INVALID_JSON = ("invalid-json", 400, "The body is not JSON.")
    INVALID_REQUEST = ("invalid-request", 422, "The request does not match its schema.")
    UNAUTHORIZED = ("unauthorized", 401, "A valid API key is needed.")
    MISSING_SCOPE = ("missing-scope", 403, "The API key lacks a scope.")
    TEST_KEY = ("test-key", 403, "A test key acts on reserved addresses only.")
    NOT_FOUND = ("not-found", 404, "There is nothing here.")
    UNKNOWN_TOPIC = ("unknown-topic", 404, "There is no such topic.")
    UNKNOWN_SUBSCRIBER = ("unknown-subscriber", 404, "There is no such subscriber.")
    METHOD_NOT_ALLOWED = ("method-not-allowed", 405, "This method is not allowed here.")
    CONFLICT = ("conflict", 409, "The request conflicts with what is on record.")
    KEY_IN_USE = ("idempotency-key-in-use", 409, "A request with this key is being made.")
    CURSOR_EXPIRED = ("cursor-expired", 410, "The cursor is older than what is kept.")
    PRECONDITION_FAILED = ("precondition-failed", 412, "The record has changed since it was read.")
    TOO_LARGE = ("too-large", 413, "The body is too large.")
    UNSUPPORTED_TYPE = ("unsupported-type", 415, "The body has an unsupported type.")
    KEY_REUSED = ("idempotency-key-reused", 422, "This key was sent with another request.")
    TOO_MANY_REQUESTS = ("too-many-requests", 429, "There are too many requests.")
    SERVER_ERROR = ("server-error", 500, "Something went wrong.")
    UNAVAILABLE = ("unavailable", 503, "The database cannot be used now. Try again.")
    BUSY = ("busy", 503, "Too many requests like this one are in work. Try again.")
    UNSUBSCRIBES_WAITING = (
        "unsubscribes-waiting",
        503,
        "Unsubscribes may wait in a spool, so that no email may be sent now. Try again.",
    )

    def __init__(self, code: str, status: int, title: str) -> None:
        self.code, self.status, self.title = code, status, title


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


def described(problem: Problem, public_url: str) -> dict[str, Any]:
    """Return the JSON object that describes a problem."""
    kind = problem.kind
    body: dict[str, Any] = {
        "type": f"{public_url}/api/docs#{kind.code}",
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
    return request.path.startswith(urlsplit(services().settings.public_url).path + PREFIX)
