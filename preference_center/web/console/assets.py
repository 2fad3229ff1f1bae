"""Serve the style sheet and the script of the console's pages."""

from flask import Response

from preference_center.web.access import Caller, open_to
from preference_center.web.console.blueprint import assets, blueprint

_FOR_A_YEAR = "public, max-age=31536000, immutable"


@blueprint.get("/assets/<version>/console.css")
@open_to(Caller.ANYONE)
def style(version: str) -> Response:
    """Return the style sheet. `version` changes with it."""
    return _asset(version, assets().style, "text/css")


@blueprint.get("/assets/<version>/console.js")
@open_to(Caller.ANYONE)
def script(version: str) -> Response:
    """Return the script. `version` changes with it."""
    return _asset(version, assets().script, "text/javascript")


def _asset(version: str, text: str, mimetype: str) -> Response:
    """Return a file. It is cached only under its own version.

    For some seconds after a new colour is published, one process knows it and another does not.
    """
    response = Response(text, mimetype=mimetype)
    if version == assets().version:
        response.headers["Cache-Control"] = _FOR_A_YEAR
    return response
