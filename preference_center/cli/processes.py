"""The commands that run: `demo`, `serve`, `worker`, and `upgrade` before them."""

import socket
import sys
from functools import partial
from urllib.parse import urlsplit

import click

from preference_center.app import create_app, shared_values
from preference_center.cli.common import (
    asked_to_stop,
    database_of,
    opened_database,
    settings_or_exit,
)
from preference_center.core.vocab import KeyKind
from preference_center.i18n import Languages
from preference_center.outbound.transport import SmtpTransport
from preference_center.outbound.worker import Worker
from preference_center.server import serve as serve_http
from preference_center.settings.settings import read_settings
from preference_center.store import KeyCheckError, UnavailableError
from preference_center.store.upgrade import upgrade
from preference_center.util import logs, resources
from preference_center.util.clock import utc_now

_PORT = click.IntRange(1, 65535)


@click.command()
@click.option("--port", default=8000, show_default=True, type=_PORT, help="Where to listen.")
def demo(port: int) -> None:
    """Try it: pages, mails and a mailing, with nothing to set up."""
    _refuse_taken("127.0.0.1", port)
    from preference_center.demo.run import run

    run(port)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=_PORT, help="The port to listen on.")
def serve(host: str, port: int) -> None:
    """Serve the pages and the one-click address.

    Put an HTTPS proxy in front.
    """
    settings = settings_or_exit(read_settings)
    try:
        with opened_database(*KeyKind, patient=False):
            pass
    except KeyCheckError:
        raise
    except UnavailableError as error:
        # The pages say so, and the keys are checked before the first request is answered.
        click.echo(f"Warning: {error}. Serving all the same.", err=True)
    _refuse_taken(host, port)
    click.echo(f"Serving {settings.public_url} at http://{host}:{port} (Ctrl+C stops)", err=True)
    serve_http(partial(create_app, settings), host, port)


@click.command()
def worker() -> None:
    """Send confirmations through SMTP_URL until stopped.

    Any number may run on PostgreSQL.
    """
    logs.configure()
    stop = asked_to_stop()
    with opened_database(KeyKind.SERVER, KeyKind.LINK, patient=False) as (settings, database):
        if settings.smtp_url is None:
            click.echo("PREFERENCE_CENTER_SMTP_URL is missing: no mail can be sent.", err=True)
            sys.exit(2)
        click.echo(
            f"Sending through {urlsplit(settings.smtp_url).hostname} (Ctrl+C stops)", err=True
        )
        folders = resources.folders("templates", settings.overrides_dir)
        languages = Languages(settings.languages, folders, shared_values(settings))
        transport = SmtpTransport(settings.smtp_url)
        Worker(database, transport, settings, languages, utc_now).run(stop)


@click.command("upgrade")
def upgrade_command() -> None:
    """Create the tables, or bring them to this version. Safe to run again.

    It also records which keys the database is used with, and refuses keys that do not fit what
    is stored.
    """
    settings = settings_or_exit(read_settings)
    database = database_of(settings, *KeyKind)
    try:
        upgrade(database)
    finally:
        database.close()
    click.echo("The database is up to date.")


def _refuse_taken(host: str, port: int) -> None:
    """Exit 1 with a sentence: the server itself would share the port, or end in a backtrace."""
    try:
        with socket.create_server((host, port), family=_family(host)):
            pass
    except OSError as error:
        click.echo(f"Error: {host}:{port} cannot be used ({error.strerror}). Try --port.", err=True)
        sys.exit(1)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
