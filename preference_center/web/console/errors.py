"""Errors of the console: a page in its frame, or a sentence for the script of a page."""

from flask import Flask, Response, g, jsonify, request

from preference_center.core.errors import Refusal, UnknownJobError
from preference_center.web import errors
from preference_center.web.console.blueprint import add_policy, blueprint
from preference_center.web.console.rendering import page
from preference_center.web.console.webauthn import BadResponseError
from preference_center.web.errors import Answer
from preference_center.web.services import services


def _failed(answer: Answer) -> Response:
    """Answer with the status. A request that did not reach the console gets the site's own page."""
    is_reached = "signed_in" in g or (answer.status >= 500 and services().console is not None)
    if not is_reached or request.is_json:
        return errors.page(answer)
    return Response(page("failed.html", status=answer.status), answer.status, mimetype="text/html")


errors.register_with(blueprint, _failed)


def register(app: Flask) -> None:
    """Answer errors where no view was found in the frame of the console, too, if they are its."""
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
    """Say why. Nothing was changed."""
    why = f"{str(error)[:1].upper()}{str(error)[1:]}."
    return (jsonify(error=why) if request.is_json else page("refused.html", why=why)), 422


@blueprint.errorhandler(UnknownJobError)
def unknown(_: UnknownJobError) -> tuple[str, int]:
    """Say that there is no such page."""
    return page("failed.html", status=404), 404
