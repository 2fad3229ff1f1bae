"""Run the demo: a folder with everything in it, the worker beside the server."""

from functools import partial
from pathlib import Path
from threading import Event, Thread

import click

from preference_center.app import shared_values
from preference_center.demo import campaign, company, history
from preference_center.demo.company import FOLDER
from preference_center.i18n import Languages
from preference_center.outbound.transport import FolderTransport
from preference_center.outbound.worker import Worker
from preference_center.server import serve
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.store.upgrade import upgrade
from preference_center.util import resources
from preference_center.util.clock import utc_now


def run(port: int) -> None:
    """Set up what is missing, say what to open, and serve until stopped."""
    folder = Path(FOLDER).resolve()
    if not folder.exists():
        click.echo("Making half a year of a company’s mail. This takes some seconds, once.")
    folder.mkdir(exist_ok=True)
    settings = company.settings_in(folder, port)
    company.write_environment(settings, folder / company.ENVIRONMENT)
    templates = resources.folders("templates", settings.overrides_dir)
    languages = Languages(settings.languages, templates, shared_values(settings))
    database = _database(settings)
    upgrade(database)
    latest = history.fill(database, settings.minter(), company.people(), utc_now())
    campaign.Sender(settings, database, languages).send_first(latest, utc_now())
    database.close()
    _say(settings)
    serve(settings, "127.0.0.1", port, beside=partial(_start_worker, settings, languages))


def _database(settings: Settings) -> Database:
    return Database(
        settings.database_url,
        settings.server_keys,
        identity_key=settings.identity_key,
        link_keys=settings.link_keys,
    )


def _start_worker(settings: Settings, languages: Languages) -> None:
    """Send confirmations into the folder, in a thread that ends with its process."""
    database = _database(settings)
    transport = FolderTransport(campaign.mail_folder(settings))
    worker = Worker(database, transport, settings, languages, utc_now)
    Thread(target=worker.run, args=(Event(),), daemon=True).start()


def _say(settings: Settings) -> None:
    topic, base = company.TOPICS[0].slug, settings.public_url
    latest = campaign.latest_campaign(settings, topic)
    links = settings.minter().mint(company.READER, topic, latest, day=utc_now().date())
    click.echo(
        f"A reader's inbox:       {base}/demo/inbox\n"
        f"The sender's mailings:  {base}/demo/mailing\n"
        f"The report:             {base}/demo/report\n"
        f"The page a link opens:  {links.unsubscribe_url}\n"
        f"Their preferences:      {links.preferences_url}\n"
        f"Everything lies in      {FOLDER}/ (delete it to start afresh). Ctrl+C stops."
    )
