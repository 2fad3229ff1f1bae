"""Run the demo: a folder with everything in it, the worker beside the server."""

from functools import partial
from pathlib import Path
from threading import Event, Thread

import click

from preference_center import resources
from preference_center.app import shared_values
from preference_center.clock import utc_now
from preference_center.demo import campaign, company
from preference_center.i18n import Languages
from preference_center.mail.transport import FolderTransport
from preference_center.server import serve
from preference_center.settings import Settings
from preference_center.store import Database
from preference_center.store.upgrade import upgrade
from preference_center.worker import Worker

FOLDER = "preference-center-demo"


def run(port: int) -> None:
    """Set up what is missing, say what to open, and serve until stopped."""
    folder = Path(FOLDER).resolve()
    folder.mkdir(exist_ok=True)
    settings = company.settings_in(folder, port)
    database = Database(settings.database_url, settings.server_keys)
    upgrade(database)
    templates = resources.folders("templates", settings.overrides)
    languages = Languages(settings.languages, templates, shared_values(settings))
    company.fill(database, settings, utc_now())
    campaign.send_first(settings, database, languages, utc_now())
    database.close()
    _say(settings)
    serve(settings, "127.0.0.1", port, beside=partial(_start_worker, settings, languages))


def _start_worker(settings: Settings, languages: Languages) -> None:
    """Send confirmations into the folder, in a thread that ends with its process."""
    database = Database(settings.database_url, settings.server_keys)
    transport = FolderTransport(campaign.mail_folder(settings))
    worker = Worker(database, transport, settings, languages, utc_now)
    Thread(target=worker.run, args=(Event(),), daemon=True).start()


def _say(settings: Settings) -> None:
    links = settings.minter().mint(
        company.READER, company.TOPICS[0].slug, "demo", day=utc_now().date()
    )
    click.echo(
        f"A reader's inbox:       {settings.public_url}/demo/inbox\n"
        f"The page a link opens:  {links.unsubscribe_url}\n"
        f"Their preferences:      {links.preferences_url}\n"
        f"Everything lies in      {FOLDER}/ (delete it to start afresh). Ctrl+C stops."
    )
