"""Serve the application over HTTP with granian: one process, a database connection per thread."""

import os
import time
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

from flask import Flask
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from preference_center.util import logs

THREADS = 64
_STOP_SECONDS = 20  # Longer than any request, including one that waits for a silent database.


def serve(make_app: Callable[..., Flask], host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM. There is no access log because paths contain links.

    `make_app` is called with `connections`, in the process that serves. That process is a fork of
    this one, and a SQLite connection must not cross a fork: its locks would never be released.
    """
    server = _Server(
        "preference_center",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        websockets=False,
        log_access=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=_STOP_SECONDS,
    )
    loader = partial(load, make_app, os.getpid())
    server.serve(target_loader=loader, wrap_loader=False)


class _Server(Granian):  # type: ignore[misc, valid-type] # Granian's builds define it differently.
    """Granian, with processes that can be stopped while they start."""

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Stop the server, or end a forked process that is not serving yet.

        Such a process inherits this handler. Granian's own handler only sets a flag there, which
        nothing reads, and the server would wait for the process forever.
        """
        if os.getpid() != self.pid:
            os._exit(0)
        super().signal_handler_interrupt(*args, **kwargs)


def load(make_app: Callable[..., Flask], parent: int) -> Flask:
    """Return the application, in the process that serves it; `parent` is its supervisor's id."""
    logs.configure()
    Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    return make_app(connections=8)


def _end_with_parent(parent: int) -> None:
    """End this process when its supervisor has ended, even by SIGKILL.

    Otherwise it would keep serving, with old settings, next to the server that replaces it.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
