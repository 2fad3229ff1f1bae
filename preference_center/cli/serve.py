"""`serve`: the pages and the one-click endpoint over HTTP."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click

from preference_center.app import create_app
from preference_center.cli.common import settings_or_exit
from preference_center.cli.database import opened_database
from preference_center.cli.ports import PORT, listening_socket
from preference_center.cli.texts import check_texts
from preference_center.core.vocab import KeyKind
from preference_center.inbound.spool_folder import require_writable
from preference_center.providers.registry import event_readers
from preference_center.server import serve as serve_http
from preference_center.settings.settings import Settings, read_settings
from preference_center.store import KeyCheckError, UnavailableError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=PORT, help="The port to listen on.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="How many processes answer requests. By default one for each CPU core on PostgreSQL, and "
    "one on SQLite, which allows no more.",
)
def serve(host: str, port: int, processes: int | None) -> None:
    """Serve the pages and the one-click endpoint.

    Put an HTTPS proxy in front of it. The server starts even if the database is unavailable. A
    socket that systemd passes is used instead of --host and --port.
    """
    settings = settings_or_exit(_read_served)
    check_texts(settings)
    processes = _process_count(settings, processes)
    try:
        with opened_database(*KeyKind, long_statements=False):
            pass
    except KeyCheckError:
        raise
    except UnavailableError as error:
        # Pages then show an error, and the keys are checked before the first request is answered.
        click.echo(f"Warning: {error}. Starting anyway.", err=True)
    if settings.spool_dir is not None:
        _require_writable(settings.spool_dir)
    listener = listening_socket(host, port)
    address = ":".join(map(str, listener.getsockname()[:2]))
    click.echo(f"Serving {settings.public_url} at http://{address} (Ctrl+C stops)", err=True)
    serve_http(partial(create_app, settings), listener, processes)


def _require_writable(spool_dir: Path) -> None:
    try:
        require_writable(spool_dir)
    except OSError as error:
        raise click.ClickException(f"SPOOL_DIR cannot be used: {error.strerror}") from None


def _process_count(settings: Settings, wanted: int | None) -> int:
    """Return the number of processes to run, or raise UsageError."""
    if not settings.database_url.startswith("sqlite"):
        return wanted or os.cpu_count() or 1
    if wanted is not None and wanted > 1:
        raise click.UsageError("Only one process can serve from SQLite. Use PostgreSQL for more.")
    return 1


def _read_served(environ: Mapping[str, str]) -> Settings:
    """Return the settings of `serve`; also raise SettingsError for an unusable provider secret."""
    settings = read_settings(environ)
    event_readers(settings)
    return settings
