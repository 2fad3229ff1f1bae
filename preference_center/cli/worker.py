"""`worker`: send the emails in the outbox."""

import sys
from urllib.parse import urlsplit

import click

from preference_center.cli.common import stop_event
from preference_center.cli.database import opened_database
from preference_center.cli.texts import check_texts
from preference_center.core.vocab import KeyKind
from preference_center.i18n import Languages
from preference_center.outbound.transport import SmtpTransport
from preference_center.outbound.worker import Worker
from preference_center.util import logs
from preference_center.util.clock import utc_now


@click.command()
def worker() -> None:
    """Send emails through SMTP_URL.

    Runs until it is stopped. On PostgreSQL, any number of workers may run.
    """
    logs.configure()
    stop = stop_event()
    uses = (KeyKind.SERVER, KeyKind.LINK)
    with opened_database(*uses, long_statements=False) as (settings, database):
        if settings.smtp_url is None:
            click.echo("PREFERENCE_CENTER_SMTP_URL is missing.", err=True)
            sys.exit(2)
        check_texts(settings)
        host = urlsplit(settings.smtp_url).hostname
        click.echo(f"Sending through {host} (Ctrl+C stops)", err=True)
        transport = SmtpTransport(settings.smtp_url)
        Worker(database, transport, settings, Languages.of(settings), utc_now).run(stop)
