"""Check that a port is free before a server starts on it."""

import socket
import sys

import click

PORT = click.IntRange(1, 65535)


def refuse_used_port(host: str, port: int) -> None:
    """Print an error and exit 1 unless the port can be listened on.

    Granian itself would share the port with another process, or fail with a traceback.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            pass
    except OSError as error:
        click.echo(f"Error: {host}:{port} cannot be used ({error.strerror}). Try --port.", err=True)
        sys.exit(1)
