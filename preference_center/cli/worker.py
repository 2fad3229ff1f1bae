"""`worker`: send the emails in the outbox, number the events of the feed, post webhooks."""

import sys
from threading import Thread
from urllib.parse import urlsplit

import click

from preference_center.cli.common import stop_event
from preference_center.cli.database import opened_database
from preference_center.cli.texts import check_texts
from preference_center.core.vocab import KeyKind
from preference_center.i18n import Languages
from preference_center.outbound.alerts import Alerts
from preference_center.outbound.erasures import Erasures
from preference_center.outbound.sequencer import Sequencer
from preference_center.outbound.transport import SmtpTransport
from preference_center.outbound.webhook_client import WebhookClient
from preference_center.outbound.webhook_worker import WebhookWorker
from preference_center.outbound.worker import Worker
from preference_center.util import logs
from preference_center.util.clock import utc_now

_CONNECTIONS = 8  # Threads that post webhooks use one only before and after they post.


@click.command()
def worker() -> None:
    """Send emails and webhooks, and keep the feed.

    Emails go through SMTP_URL. Changes become events of the feed, in one order. The
    address of an erased subscriber is deleted once all webhooks and readers of the feed
    have acknowledged the erasure.
    Runs until it is stopped. On PostgreSQL, any number of workers may run.
    """
    logs.configure()
    stop = stop_event()
    uses = (KeyKind.SERVER, KeyKind.LINK)
    opened = opened_database(*uses, long_statements=False, connections=_CONNECTIONS)
    with opened as (settings, database):
        if settings.smtp_url is None:
            click.echo("PREFERENCE_CENTER_SMTP_URL is missing.", err=True)
            sys.exit(2)
        check_texts(settings)
        host = urlsplit(settings.smtp_url).hostname
        click.echo(f"Sending through {host} (Ctrl+C stops)", err=True)
        transport = SmtpTransport(settings.smtp_url)
        client = WebhookClient(settings.webhook_private_networks)
        tasks = [
            Sequencer(database, utc_now).run,
            WebhookWorker(database, client, utc_now).run,
            Erasures(database, utc_now).run,
        ]
        if settings.alerts_to is not None:
            tasks.append(Alerts(database, transport, settings, utc_now).run)
        threads = [Thread(target=task, args=(stop,)) for task in tasks]
        for each in threads:
            each.start()
        try:
            Worker(database, transport, settings, Languages.of(settings), utc_now).run(stop)
        finally:
            stop.set()
            for each in threads:
                each.join()
