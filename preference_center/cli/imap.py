"""`imap`: process messages from an IMAP folder."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from preference_center.cli.common import stop_event
from preference_center.cli.database import opened_database
from preference_center.core.vocab import KeyKind
from preference_center.inbound.imap import ImapFolder
from preference_center.inbound.mail import MailProcessor
from preference_center.store import KeyCheckError, UnavailableError
from preference_center.util import logs
from preference_center.util.clock import utc_now


@click.command()
@click.option("--once", is_flag=True, help="Check the mailbox once, then exit.")
@click.option(
    "--every",
    default=60,
    show_default=True,
    type=click.IntRange(1, 86_400),
    help="Seconds between two checks.",
)
def imap(*, once: bool, every: int) -> None:
    """Process messages from an IMAP folder.

    Runs until it is stopped. Once the effects of a message are committed, the message is
    moved to the folder Done beside its own. Messages received more than
    QUARANTINE_RETENTION_DAYS ago are deleted from Done.

    Exit status with --once: 0 if every message was processed, 75 (EX_TEMPFAIL) if not.
    """
    logs.configure()
    stop = stop_event()
    try:
        with _imap_folder() as folder:
            if not once:
                click.echo(f"Checking every {every} seconds (Ctrl+C stops)", err=True)
            all_done = folder.poll(stop)
            while not once and not stop.wait(every):
                folder.poll(stop)
    except KeyCheckError:
        raise  # A wrong setting: a retry would not help.
    except UnavailableError as error:
        click.echo(f"Error: {error}. Try again later.", err=True)
        sys.exit(os.EX_TEMPFAIL)
    if once and not all_done:
        sys.exit(os.EX_TEMPFAIL)


@contextmanager
def _imap_folder() -> Iterator[ImapFolder]:
    uses = (KeyKind.SERVER, KeyKind.LINK)
    with opened_database(*uses, long_statements=False) as (settings, database):
        if settings.imap_url is None:
            click.echo("PREFERENCE_CENTER_IMAP_URL is missing.", err=True)
            sys.exit(2)
        processor = MailProcessor(database, settings, utc_now)
        yield ImapFolder(settings.imap_url, processor, settings.quarantine_retention)
