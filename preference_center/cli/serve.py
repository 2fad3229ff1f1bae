"""`serve`: the pages and the one-click endpoint over HTTP."""

from collections.abc import Mapping
from functools import partial

import click

from preference_center.app import create_app
from preference_center.cli.common import settings_or_exit
from preference_center.cli.database import opened_database
from preference_center.cli.ports import PORT, refuse_used_port
from preference_center.core.vocab import KeyKind
from preference_center.providers.registry import event_readers
from preference_center.server import serve as serve_http
from preference_center.settings.settings import Settings, read_settings
from preference_center.store import KeyCheckError, UnavailableError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=PORT, help="The port to listen on.")
def serve(host: str, port: int) -> None:
    """Serve the pages and the one-click endpoint.

    Put an HTTPS proxy in front of it. The server starts even if the database is unavailable.
    """
    settings = settings_or_exit(_read_served)
    try:
        with opened_database(*KeyKind, long_statements=False):
            pass
    except KeyCheckError:
        raise
    except UnavailableError as error:
        # Pages then show an error, and the keys are checked before the first request is answered.
        click.echo(f"Warning: {error}. Starting anyway.", err=True)
    refuse_used_port(host, port)
    click.echo(f"Serving {settings.public_url} at http://{host}:{port} (Ctrl+C stops)", err=True)
    serve_http(partial(create_app, settings), host, port)


def _read_served(environ: Mapping[str, str]) -> Settings:
    """Return the settings of `serve`; also raise SettingsError for an unusable provider secret."""
    settings = read_settings(environ)
    event_readers(settings)
    return settings
