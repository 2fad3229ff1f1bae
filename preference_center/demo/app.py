"""The demo's application: the product's own, with the pages of the demo added."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from flask import Flask, Response, request

from preference_center.app import create_app
from preference_center.demo import console, pages, rendering
from preference_center.settings.settings import Settings
from preference_center.util.clock import utc_now
from preference_center.web.services import render

_LANGUAGE = re.compile(r'<html lang="([\w-]+)"')
_OF_DEMO = '<body class="demo">'  # in each page of the demo
_MAIN = re.compile(r"<main[^>]*>")


def create_demo_app(
    settings: Settings,
    folder: Path,
    *,
    clock: Callable[[], datetime] = utc_now,
    connections: int = 4,
) -> Flask:
    """Return the WSGI application of the demo whose files are in `folder`."""
    app = create_app(settings, clock=clock, connections=connections)
    app.config[rendering.FOLDER_CONFIG] = folder
    app.register_blueprint(pages.blueprint)
    app.add_url_rule("/", "demo.root", pages.to_start)
    app.before_request(console.sign_in)
    app.after_request(_add_way_back)
    return app


def _add_way_back(response: Response) -> Response:
    """Add a line that leads back to the demo to the product's own pages."""
    if (
        response.mimetype != "text/html"
        or request.endpoint == "demo.show_html"
        or request.blueprint == "console"
    ):
        return response
    page = response.get_data(as_text=True)
    language, main = _LANGUAGE.search(page), _MAIN.search(page)
    if language is not None and main is not None and _OF_DEMO not in page:
        line = render("demo/way_back.html", language[1])
        response.set_data(page[: main.end()] + line + page[main.end() :])
    return response
