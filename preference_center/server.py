"""Serve the application over HTTP with granian: one process, as many threads as connections."""

from functools import partial

from flask import Flask
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from preference_center import logs
from preference_center.settings import Settings

THREADS = 8


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM. There is no access log: paths hold links."""
    server = Granian(
        "preference_center",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        websockets=False,
        log_access=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
    )
    server.serve(target_loader=partial(load, settings), wrap_loader=False)


def load(settings: Settings) -> Flask:
    """Return the application, in the process that serves it."""
    from preference_center.app import create_app

    logs.configure()
    return create_app(settings, connections=THREADS)
