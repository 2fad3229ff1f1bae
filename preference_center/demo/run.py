"""Run the demo: make its folder, then serve the pages and send emails in one process."""

from functools import partial
from pathlib import Path
from socket import socket
from threading import Event, Thread

import click
from flask import Flask

from preference_center.demo import campaign, company, history
from preference_center.demo.app import create_demo_app
from preference_center.demo.company import FOLDER
from preference_center.demo.inbox import FolderTransport, inbox_folder
from preference_center.i18n import Languages
from preference_center.outbound.worker import Worker
from preference_center.server import serve
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.store.upgrade import upgrade
from preference_center.util import resources
from preference_center.util.clock import utc_now


def run(listener: socket) -> None:
    """Create the files that are missing, print the addresses to open, and serve until stopped."""
    port = listener.getsockname()[1]
    folder = Path(FOLDER).resolve()
    if not folder.exists():
        click.echo("Creating half a year of a company’s mailings. This takes some seconds, once.")
    folder.mkdir(exist_ok=True)
    settings = company.settings_in(folder, port)
    company.write_environment(settings, folder / company.ENVIRONMENT)
    templates = resources.folders("templates", settings.overrides_dir)
    languages = Languages(settings.languages, templates, settings.template_values())
    database = _database(settings)
    upgrade(database)
    latest = history.fill(database, settings.minter(), company.people(), utc_now())
    campaign.Sender(settings, database, languages, folder).send_first(latest, utc_now())
    database.close()
    _print_addresses(settings, folder)
    serve(partial(_start, settings, languages, folder), listener)


def _start(settings: Settings, languages: Languages, folder: Path, *, connections: int) -> Flask:
    """Start the worker, which writes change notices to the inbox; return the application."""
    transport = FolderTransport(inbox_folder(folder))
    worker = Worker(_database(settings), transport, settings, languages, utc_now)
    Thread(target=worker.run, args=(Event(),), daemon=True).start()
    return create_demo_app(settings, folder, connections=connections)


def _database(settings: Settings) -> Database:
    return Database(
        settings.database_url,
        settings.server_keys,
        identity_key=settings.identity_key,
        link_keys=settings.link_keys,
    )


def _print_addresses(settings: Settings, folder: Path) -> None:
    topic, base = company.TOPICS[0].slug, settings.public_url
    latest = campaign.latest_campaign(folder, topic)
    links = settings.minter().mint(company.READER, topic, latest, day=utc_now().date())
    click.echo(
        f"A reader's inbox:        {base}/demo/inbox\n"
        f"The sender's mailings:   {base}/demo/mailing\n"
        f"The report:              {base}/demo/report\n"
        f"An unsubscribe page:     {links.unsubscribe_url}\n"
        f"A preferences page:      {links.preferences_url}\n"
        f"All files are in         {FOLDER}/ (delete it to start over). Ctrl+C stops."
    )
