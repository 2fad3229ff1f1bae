"""Serve the application over HTTP with granian: worker processes that share one listening socket.

The supervisor keeps the socket open while worker processes come and go, so a connection that no
process has accepted yet waits instead of being refused or reset.
"""

import gc
import multiprocessing
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined] # imported there, not exported

from preference_center.asgi_adapter import AsgiAdapter, AsgiApp
from preference_center.util import logs
from preference_center.web.api import problems
from preference_center.web.one_click import OneClickEndpoint
from preference_center.web.services import EXTENSION
from preference_center.web.uploads import uploads

THREADS = 64  # in each process
CONNECTIONS = 8  # to the database, for each process
MAX_CLIENTS = 16_384  # connections that a process accepts; more wait in the socket's queue
BACKLOG = 4096  # the length of that queue
HEADER_SECONDS = 10  # A client that has not sent a whole request header by then is disconnected.
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's variable
ASK_AGAIN_SECONDS = 1  # after which a process that has not stopped is asked again
_OWN_FILES = 512  # file descriptors for everything but clients
_STOP_SECONDS = 20  # Longer than any request, including one that waits for a silent database.
_RESTART_SECONDS = 1  # between starting a process and stopping the one that it replaces


def serve(
    make_app: Callable[..., Flask],
    listener: socket,
    processes: int = 1,
    wrap: Callable[[AsgiApp], AsgiApp] = lambda app: app,
) -> None:
    """Serve until SIGINT or SIGTERM. SIGHUP replaces the processes one by one.

    There is no access log because paths contain links. `make_app` is called with `connections` in
    each process that serves. That process is a fork of this one, and a SQLite connection must not
    cross a fork: its locks would never be released. `wrap` returns what each request goes through.
    """
    server = _Server(
        "preference_center",
        interface=Interfaces.ASGINL,
        workers=processes,
        # HTTP/2 detection would wait for the first bytes of a connection without a timeout.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000),
        websockets=False,
        backpressure=_allow_clients(),
        log_access=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        respawn_interval=_RESTART_SECONDS,
        workers_kill_timeout=_STOP_SECONDS,
    )
    server.listener = listener
    multiprocessing.set_start_method("fork", force=True)  # not the default of Python 3.14
    loader = partial(_load_adapter, make_app, os.getpid(), wrap)
    with TemporaryDirectory(prefix="preference-center-metrics-", dir=_memory()) as folder:
        os.environ[METRICS_FOLDER] = folder
        server.serve(target_loader=loader, wrap_loader=False)


class _Server(Granian):  # type: ignore[misc, valid-type] # Granian's builds define it differently.
    """Granian on a socket that is open already, with processes that can be stopped while starting.

    On Linux, Granian would give each process a socket of its own on the same port. The connections
    that wait in such a socket are reset when its process ends.
    """

    listener: socket

    def _init_shared_socket(self) -> None:
        self.listener.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        if sys.platform == "linux":
            from socket import TCP_DEFER_ACCEPT

            # Accept a connection only when it has sent something. When a process stops, it closes
            # those that it has accepted and not read from yet.
            self.listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 1)
        backlog = (BACKLOG,) if sys.platform == "linux" else ()
        self._shd = SocketHolder(self.listener.fileno(), False, *backlog)  # type: ignore[call-arg]
        self._sso = self.listener  # The supervisor closes it when it stops.

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """Stop the server, or end a forked process that is not serving yet.

        Such a process inherits this handler. Granian's own handler only sets a flag there, which
        nothing reads, and the server would wait for the process forever.
        """
        if os.getpid() != self.pid:
            os._exit(0)
        super().signal_handler_interrupt(*args, **kwargs)

    def _stop_workers(self) -> None:
        """Stop the processes, and ask those again that go on: one may have missed the signal.

        It does if the signal comes when it has just begun to serve. A second signal does not make
        a process stop sooner that got the first.
        """
        for worker in self.wrks:
            worker.terminate()
        give_up = time.monotonic() + ASK_AGAIN_SECONDS
        for worker in self.wrks:
            worker.join(max(0, give_up - time.monotonic()))
        super()._stop_workers()


def _memory() -> str | None:
    """Return a folder in memory, or None for the default. A full disk would end a process."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else None  # noqa: S108


def _allow_clients() -> int:
    """Raise the limit of open files, and return how many clients a process may accept."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CLIENTS + _OWN_FILES
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return max(limit - _OWN_FILES, limit // 2)


def _load_adapter(
    make_app: Callable[..., Flask], parent: int, wrap: Callable[[AsgiApp], AsgiApp]
) -> AsgiApp:
    """Return the application behind the adapter: granian would keep a thread for a slow body."""
    app = load(make_app, parent)
    services = app.extensions[EXTENSION]
    refusal = partial(problems.of_refused_body, services.settings.public_url)
    one_click = OneClickEndpoint(services)
    return wrap(AsgiAdapter(app, THREADS, one_click, uploads(app), refusal))


def load(make_app: Callable[..., Flask], parent: int) -> Flask:
    """Return the application, in the process that serves it; `parent` is its supervisor's id."""
    logs.configure()
    Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    app = make_app(connections=CONNECTIONS)
    gc.freeze()  # These objects live as long as the process: there is nothing to collect.
    return app


def _end_with_parent(parent: int) -> None:
    """End this process when its supervisor has ended, even by SIGKILL.

    Otherwise it would keep serving, with old settings, next to the server that replaces it.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    if folder := os.environ.get(METRICS_FOLDER):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
