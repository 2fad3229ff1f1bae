"""One table of errors: the status, the page for people, and the line of text for machines.

A blueprint that machines call registers itself with `register_machine`.
"""

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException

from preference_center.links.signing import BadLink
from preference_center.providers.event import (
    InvalidSignatureError,
    MalformedEventError,
    VerificationUnavailableError,
)
from preference_center.store import SchemaError, UnavailableError
from preference_center.util.logs import log_unexpected
from preference_center.web.api import problems
from preference_center.web.retry import page_of_form, sent_fields, this_url
from preference_center.web.services import language, render

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What an error is answered with: a status, the page for people, the line for machines."""

    status: int
    template: str
    line: str


_Respond = Callable[[Answer], Response]

_ANSWERS: dict[type[Exception], Answer] = {
    BadLink: Answer(400, "errors/broken_link.html", "This link does not work."),
    InvalidSignatureError: Answer(403, "errors/other.html", "Invalid signature."),
    MalformedEventError: Answer(400, "errors/other.html", "Malformed event."),
    VerificationUnavailableError: Answer(
        503, "errors/trouble.html", "Nothing was stored. Try again."
    ),
    UnavailableError: Answer(503, "errors/trouble.html", "This may not be stored. Try again."),
    SchemaError: Answer(503, "errors/trouble.html", "Nothing was stored. Try again."),
}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def register(app: Flask) -> None:
    """Answer every error of `app` with a page."""
    register_with(app, page)


def register_machine(blueprint: Blueprint) -> None:
    """Answer every error of the views of `blueprint` with one line of plain text.

    Call it before the blueprint's own error handlers are declared, which take precedence.
    """
    register_with(blueprint, _line)


def register_with(to: Flask | Blueprint, respond: _Respond) -> None:
    """Answer every error of an application or a blueprint with what `respond` makes of it."""
    for kind, answer in _ANSWERS.items():
        to.register_error_handler(kind, partial(_known_error, answer, respond))
    to.register_error_handler(HTTPException, partial(_http_error, respond))
    to.register_error_handler(OSError, partial(_os_error, respond))
    to.register_error_handler(Exception, partial(_unexpected_error, respond))


def _known_error(answer: Answer, respond: _Respond, error: Exception) -> Response:
    if answer.status >= 500:
        log.error("endpoint %s: %s", request.endpoint, error)
    response = respond(answer)
    if answer.status == 503:
        response.headers["Retry-After"] = "60"
    return response


def _http_error(respond: _Respond, error: HTTPException) -> Response:
    answer = Answer(error.code or 500, "errors/other.html", error.name)
    if error.code == 404:
        answer = Answer(404, "errors/not_found.html", "There is nothing here.")
    elif error.code == 429:
        answer = Answer(429, "errors/too_many.html", "Too many requests. Try again in an hour.")
    response = respond(answer)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _os_error(respond: _Respond, error: OSError) -> Response:
    if error.errno not in _NO_ROOM:
        return _unexpected_error(respond, error)
    log.error("endpoint %s: the disk is full", request.endpoint)
    return respond(Answer(507, "errors/trouble.html", "The disk of the server is full."))


def _unexpected_error(respond: _Respond, error: Exception) -> Response:
    # Flask's own log record would contain the path, and the path contains the signed link.
    log_unexpected(log, f"endpoint {request.endpoint}", error)
    return respond(Answer(500, "errors/trouble.html", "Something went wrong."))


def register_api(blueprint: Blueprint) -> None:
    """Answer every error of the views of `blueprint` with problem details."""
    register_with(blueprint, _problem)


def page(answer: Answer) -> Response:
    """Return the page of the site for an error, or problem details for a path of the API."""
    if problems.is_api_path():  # It matches no route of the API.
        return _problem(answer)
    posted = request.method == "POST"
    text = render(
        answer.template,
        language(),
        status=answer.status,
        posted=posted,
        fields=sent_fields() if posted else (),
        this_url=this_url(),
        opened_url=page_of_form(),
    )
    return Response(text, answer.status, mimetype="text/html")


def _problem(answer: Answer) -> Response:
    return problems.response(problems.of_status(answer.status))


def _line(answer: Answer) -> Response:
    return Response(f"{answer.line}\n", answer.status, mimetype="text/plain")
