"""One table: what was refused -> status and page. Machines get the same in a line of text."""

import logging
from dataclasses import dataclass

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from preference_center.core.errors import (
    LinkTooOldError,
    UndoNotOfferedError,
    UndoSupersededError,
    UndoTooLateError,
)
from preference_center.links.signing import BadLink
from preference_center.providers.event import (
    InvalidSignatureError,
    MalformedEventError,
    VerificationUnavailableError,
)
from preference_center.store import SchemaError, UnavailableError
from preference_center.util.logs import log_unexpected
from preference_center.web.services import language, render

log = logging.getLogger(__name__)

MACHINE_BLUEPRINTS = ("one_click", "hooks", "health")


@dataclass(frozen=True)
class _Answer:
    status: int
    template: str
    line: str


_ANSWERS: dict[type[Exception], _Answer] = {
    BadLink: _Answer(400, "errors/broken_link.html", "This link does not work."),
    LinkTooOldError: _Answer(410, "errors/too_old.html", "This link is too old."),
    UndoTooLateError: _Answer(410, "errors/too_late.html", "It is too late to undo this."),
    UndoSupersededError: _Answer(409, "errors/superseded.html", "A newer choice was made."),
    UndoNotOfferedError: _Answer(409, "errors/superseded.html", "This cannot be undone here."),
    InvalidSignatureError: _Answer(403, "errors/other.html", "Invalid signature."),
    MalformedEventError: _Answer(400, "errors/other.html", "Malformed event."),
    VerificationUnavailableError: _Answer(
        503, "errors/trouble.html", "Nothing was stored. Try again."
    ),
    UnavailableError: _Answer(503, "errors/trouble.html", "This may not be stored. Try again."),
    SchemaError: _Answer(503, "errors/trouble.html", "Nothing was stored. Try again."),
}


def register(app: Flask) -> None:
    """Answer every refusal and every error of `app` from the table above."""
    for kind, answer in _ANSWERS.items():
        app.register_error_handler(kind, _handler(answer))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def _handler(answer: _Answer):  # type: ignore[no-untyped-def]
    def respond(error: Exception) -> Response:
        if answer.status >= 500:
            log.error("endpoint %s: %s", request.endpoint, error)
        response = _respond(answer)
        if answer.status == 503:
            response.headers["Retry-After"] = "60"
        return response

    return respond


def _http_error(error: HTTPException) -> Response:
    answer = _Answer(error.code or 500, "errors/other.html", error.name)
    if error.code == 404:
        answer = _Answer(404, "errors/not_found.html", "There is nothing here.")
    elif error.code == 429:
        answer = _Answer(429, "errors/too_many.html", "Too many requests. Try again in an hour.")
    response = _respond(answer)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    # Not Flask's own report: that one holds the path, and the path holds the link.
    log_unexpected(log, f"endpoint {request.endpoint}", error)
    return _respond(_Answer(500, "errors/trouble.html", "Something went wrong."))


def _respond(answer: _Answer) -> Response:
    if request.blueprint in MACHINE_BLUEPRINTS:
        return Response(f"{answer.line}\n", answer.status, mimetype="text/plain")
    page = render(answer.template, language(), status=answer.status)
    return Response(page, answer.status, mimetype="text/html")
