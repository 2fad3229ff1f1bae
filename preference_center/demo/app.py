"""The demo's application: the product's own, with the pages of the demo added."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from flask import Flask

from preference_center.app import create_app
from preference_center.demo import pages
from preference_center.settings.settings import Settings
from preference_center.util.clock import utc_now


def create_demo_app(
    settings: Settings,
    folder: Path,
    *,
    clock: Callable[[], datetime] = utc_now,
    connections: int = 4,
) -> Flask:
    """Return the WSGI application of the demo whose files are in `folder`."""
    app = create_app(settings, clock=clock, connections=connections)
    app.config[pages.FOLDER_CONFIG] = folder
    app.register_blueprint(pages.blueprint)
    app.add_url_rule("/", "demo.root", pages.to_inbox)
    return app
