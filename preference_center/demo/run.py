"""Run the demo: make its folder, then serve the pages and send emails in one process."""

import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from socket import socket
from threading import Event, Thread
from urllib.request import urlopen

import click
from flask import Flask

from preference_center.core import edited_texts
from preference_center.data.jobs.runner import Runner
from preference_center.demo import campaign, company, deliveries, history, webhook
from preference_center.demo.app import create_demo_app
from preference_center.demo.company import FOLDER
from preference_center.demo.hosts import LocalHosts
from preference_center.demo.inbox import FolderTransport, inbox_folder
from preference_center.i18n import Languages
from preference_center.inbound.spool_replay import adopt, apply_batch
from preference_center.outbound.erasures import Erasures
from preference_center.outbound.list_changes import ListChanges
from preference_center.outbound.sequencer import Sequencer
from preference_center.outbound.webhook_client import WebhookClient
from preference_center.outbound.webhook_worker import WebhookWorker
from preference_center.outbound.worker import Worker
from preference_center.server import serve
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.store.upgrade import upgrade
from preference_center.util.clock import utc_now

_MAX_START_SECONDS = 60


def run(listener: socket) -> None:
    """Create the files that are missing, and serve until stopped. Print the addresses to open."""
    port = listener.getsockname()[1]
    folder = Path(FOLDER).resolve()
    folder.mkdir(exist_ok=True)
    settings = company.settings_in(folder, port)
    company.write_environment(settings, folder / company.ENVIRONMENT)
    languages = Languages.of(settings)
    _fill(settings, languages, folder)
    serve(
        partial(_start, settings, folder),
        listener,
        wrap=lambda app: LocalHosts(app, port),
    )


def _fill(settings: Settings, languages: Languages, folder: Path) -> None:
    """Make the database with its history, and the reader's first emails."""
    database = _database(settings)
    upgrade(database)
    emails = company.people()
    latest = history.fill(database, settings.minter(), emails, utc_now(), _show_progress)
    # What a killed demo has left in its spool: until it is applied, no mailing may be sent.
    adopt(database, company.spool_folder(folder), partial(apply_batch, database, utc_now))
    campaign.Sender(settings, database, languages, folder).send_first(latest, utc_now())
    with database.transaction() as session:
        deliveries.follow(session, folder, settings.public_url)
    database.close()


def _show_progress(done: int, total: int) -> None:
    if done == 0:
        click.echo("Creating half a year of a company’s mailings, once. This takes some seconds.")
    if sys.stdout.isatty():
        click.echo(f"\r{done + 1} of {total} mailings", nl=done + 1 == total)


def _start(settings: Settings, folder: Path, *, connections: int) -> Flask:
    """Start what a worker does, which writes to the inbox; return the application."""
    transport, database = FolderTransport(inbox_folder(folder)), _database(settings)
    languages = Languages.of(settings, partial(edited_texts.newer, database))
    worker = Worker(database, transport, settings, languages, utc_now)
    sequencer = Sequencer(_database(settings), utc_now)
    client = WebhookClient(settings.webhook_private_networks)
    poster = WebhookWorker(_database(settings), client, utc_now, webhook.RETRY_AFTER)
    erasures = Erasures(_database(settings), utc_now)
    runner = Runner(_database(settings), settings.identity_key, utc_now)
    lists = ListChanges(_database(settings), utc_now)
    tasks = (worker.run, sequencer.run, poster.run, erasures.run, runner.run, lists.run)
    for each in tasks:
        Thread(target=each, args=(Event(),), daemon=True).start()
    Thread(target=_announce, args=(settings, folder), daemon=True).start()
    return create_demo_app(settings, folder, connections=connections)


def _database(settings: Settings) -> Database:
    return Database(
        settings.database_url,
        settings.server_keys,
        identity_key=settings.identity_key,
        link_keys=settings.link_keys,
    )


def _announce(settings: Settings, folder: Path) -> None:
    """Print the addresses as soon as the first of them answers."""
    give_up = time.monotonic() + _MAX_START_SECONDS
    while time.monotonic() < give_up:
        with suppress(OSError), urlopen(f"{settings.public_url}/demo/", timeout=5):  # noqa: S310
            _print_addresses(settings, folder)
            return
        time.sleep(0.05)


def _print_addresses(settings: Settings, folder: Path) -> None:
    topic, base = company.TOPICS[0].slug, settings.public_url
    latest = campaign.latest_campaign(folder, topic)
    links = settings.minter().mint(company.READER, topic, latest, day=utc_now().date())
    click.echo(
        f"Start here:              {base}/demo/\n"
        f"A reader's inbox:        {base}/demo/inbox\n"
        f"The sender's mailings:   {base}/demo/mailing\n"
        f"The report:              {base}/demo/report\n"
        f"A webhook at work:       {base}/demo/webhook\n"
        f"The console:             {base}/console/\n"
        f"An unsubscribe page:     {links.unsubscribe_url}\n"
        f"A preferences page:      {links.preferences_url}\n"
        f"All files are in         {FOLDER}/ (delete it to start over). Ctrl+C stops."
    )
