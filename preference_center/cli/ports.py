"""Open the socket that a server listens on, or take it from the service manager."""

import os
import socket
import sys
from typing import NoReturn

import click

PORT = click.IntRange(1, 65535)
_FIRST_PASSED = 3  # the first file descriptor that a service manager passes


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a TCP socket that listens, or print an error and exit 1.

    If the service manager has passed a socket (sd_listen_fds(3)), it is used instead of `host` and
    `port`.
    """
    if os.environ.pop("LISTEN_PID", "") == str(os.getpid()):
        return _passed_socket(os.environ.pop("LISTEN_FDS", ""))
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        _fail(f"{host}:{port} cannot be used ({error.strerror}). Try --port.")
    return listener


def _passed_socket(count: str) -> socket.socket:
    passed = socket.socket(fileno=_FIRST_PASSED)
    families = socket.AF_INET, socket.AF_INET6
    if count != "1" or passed.family not in families or passed.type != socket.SOCK_STREAM:
        _fail("The service manager must pass exactly one TCP socket.")
    passed.set_inheritable(False)
    return passed


def _fail(problem: str) -> NoReturn:
    click.echo(f"Error: {problem}", err=True)
    sys.exit(1)
