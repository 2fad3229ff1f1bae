"""`demo`: a company with subscribers and mailings, on this machine only."""

import click

from preference_center.cli.ports import PORT, listening_socket
from preference_center.demo.run import run


@click.command()
@click.option("--port", default=8000, show_default=True, type=PORT, help="The port to listen on.")
def demo(port: int) -> None:
    """Try it: pages, emails and a mailing, without any setup."""
    run(listening_socket("127.0.0.1", port))
