"""Errors of the console: a page in its frame, or a sentence for the script of a page.

A form that is refused is shown again on its page, as it was sent.
"""

from io import BytesIO

from flask import Flask, Response, current_app, g, jsonify, request, url_for
from werkzeug.exceptions import HTTPException

from preference_center.core.errors import FormSentBeforeError, Refusal, UnknownJobError
from preference_center.store import UnavailableError
from preference_center.web import errors
from preference_center.web.console.blueprint import add_policy, blueprint
from preference_center.web.console.refilled import SentForm, refilled, typed
from preference_center.web.console.rendering import SENT, page
from preference_center.web.console.webauthn import BadResponseError
from preference_center.web.errors import Answer
from preference_center.web.services import services


def _failed(answer: Answer) -> Response:
    """Answer with the status. A request that did not reach the console gets the site's own page."""
    is_reached = "signed_in" in g or (answer.status >= 500 and services().console is not None)
    if not is_reached or request.is_json:
        return errors.page(answer)
    # A form without the token may be from elsewhere: what it says is shown, and not as a form.
    said = _typed() if answer.status == 400 else []
    shown = page("failed.html", status=answer.status, typed=said)
    return Response(shown, answer.status, mimetype="text/html")


errors.register_with(blueprint, _failed)


def register(app: Flask) -> None:
    """Answer errors at addresses of the console that have no view in its frame, too."""
    errors.register_with(app, _failed_without_view)


def _failed_without_view(answer: Answer) -> Response:
    if "signed_in" not in g:
        return errors.page(answer)
    response = _failed(answer)
    add_policy(response)
    return response


@blueprint.errorhandler(Refusal)
@blueprint.errorhandler(BadResponseError)
def refused(error: Exception) -> tuple[Response | str, int]:
    """Say why, on the page of the form or on one of its own. Nothing was changed."""
    why = f"{str(error)[:1].upper()}{str(error)[1:]}."
    if request.is_json:
        return jsonify(error=why), 422
    if isinstance(error, FormSentBeforeError):
        return page("refused.html", why=why, typed=(), sent_before=True), 422
    again = _shown_again(why, error.field) if isinstance(error, Refusal) else None
    return again or page("refused.html", why=why, typed=typed(request.form)), 422


def _typed() -> list[str]:
    try:
        return typed(request.form)
    except HTTPException:  # The body has ended before it was complete.
        return []


@blueprint.errorhandler(UnknownJobError)
def unknown(_: UnknownJobError) -> tuple[str, int]:
    """Say that there is no such page."""
    return page("failed.html", status=404), 404


def _shown_again(why: str, field: str) -> str | None:
    """Return the page of the form that was sent, with the form as it was sent.

    Return None if the page or the form is no longer there.
    """
    if request.method != "POST" or not request.endpoint:
        return None
    action = url_for(request.endpoint, **(request.view_args or {}))
    sent = SentForm(action, request.form, why, field)
    shown = _page_with(sent, request.form.get("shown_on", ""))
    return refilled(shown, sent) if shown else None


def _page_with(sent: SentForm, shown_on: str) -> str | None:
    """Return a page of the console by its path and query, as the member may see it, or None."""
    path, _, query = shown_on.removeprefix(request.script_root).partition("?")
    environ = request.environ | {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": query.encode().decode("latin-1"),
        "CONTENT_LENGTH": "0",
        "wsgi.input": BytesIO(),
    }
    with current_app.request_context(environ):
        if request.blueprint != blueprint.name:
            return None
        setattr(g, SENT, sent)
        try:
            found = current_app.preprocess_request() or current_app.dispatch_request()
        except (HTTPException, Refusal, UnavailableError):
            return None
        finally:
            g.pop(SENT)
    return found if isinstance(found, str) else None
