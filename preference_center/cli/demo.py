"""`demo`: a company with subscribers and mailings, on this machine only."""

from ipaddress import ip_address

import click

from preference_center.cli.ports import PORT, listening_socket
from preference_center.demo.run import run


@click.command()
@click.option("--port", default=8000, show_default=True, type=PORT, help="The port to listen on.")
def demo(port: int) -> None:
    """Try it: pages, emails and a mailing, without any setup.

    Only this machine can open the pages.
    """
    listener = listening_socket("127.0.0.1", port)
    if not ip_address(listener.getsockname()[0]).is_loopback:
        raise click.ClickException("The demo listens on this machine only (127.0.0.1 or ::1).")
    run(listener)
