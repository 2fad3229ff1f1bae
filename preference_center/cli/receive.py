"""`receive`, `lmtp`, `imap`, `inbound` and `unread`: what comes in."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import click

from preference_center.cli.common import asked_to_stop, opened_database
from preference_center.core import inbound_counts, quarantine
from preference_center.core.vocab import KeyKind
from preference_center.inbound.imap import ImapFolder
from preference_center.inbound.lmtp import listening
from preference_center.inbound.mail import MAX_MESSAGE_BYTES, MailProcessor
from preference_center.store import KeyCheckError, SchemaError, UnavailableError
from preference_center.util import logs
from preference_center.util.clock import utc_now
from preference_center.util.logs import log_unexpected

log = logging.getLogger(__name__)

# What a mail server understands (sysexits.h): 75 is "try again later", 65 "this is no message".
TEMPORARY_FAILURE = 75
DATA_ERROR = 65
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--recipient", multiple=True, help="An address of its envelope; may be repeated.")
def receive(recipient: tuple[str, ...]) -> None:
    """Take in one message that a mail server pipes.

    \b
    Postfix: preference-center receive --recipient=${recipient}

    It exits with 0 when all that the message does is done, and with 75 where that is not possible
    now: the mail server tries again later, and bounces nothing. Without --recipient, the
    message's own headers say whom it was for.
    """
    logs.configure()
    raw = sys.stdin.buffer.read(MAX_MESSAGE_BYTES + 1)
    if not raw or len(raw) > MAX_MESSAGE_BYTES:
        click.echo("no message, or one that is too large", err=True)
        sys.exit(DATA_ERROR)
    try:
        with opened_database(KeyKind.SERVER, KeyKind.LINK, long_statements=False) as (settings, database):
            click.echo(MailProcessor(database, settings, utc_now).process(raw, recipient))
    except (UnavailableError, SchemaError, SystemExit) as error:
        # Settings that are wrong are trouble of ours too: a reader's mail must not bounce for it.
        click.echo(f"Error: {error}. Try again later.", err=True)
        sys.exit(TEMPORARY_FAILURE)
    except Exception as error:  # noqa: BLE001 (nor for a mistake of ours)
        log_unexpected(log, "inbound mail", error)
        sys.exit(TEMPORARY_FAILURE)


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:8024",
    show_default=True,
    help="HOST:PORT, where the mail server delivers to.",
)
def lmtp(listen: str) -> None:
    """Take in messages by LMTP (RFC 2033) until stopped.

    Postfix or Exim delivers to it.

    A message is acknowledged when what it does is committed. Where the database is away the
    answer is 451, and the mail server tries again.
    """
    host, _, port = listen.rpartition(":")
    if not (host and port.isdigit() and 0 < int(port) < 65_536):
        raise click.BadParameter("must look like 127.0.0.1:8024", param_hint="--listen")
    logs.configure()
    stop = asked_to_stop()
    with opened_database(KeyKind.SERVER, KeyKind.LINK, long_statements=False) as (settings, database):
        receiver = MailProcessor(database, settings, utc_now)
        with listening(receiver, host.strip("[]"), int(port)):
            click.echo(f"Listening on {listen} (Ctrl+C stops)", err=True)
            stop.wait()


@click.command()
@click.option("--once", is_flag=True, help="Look once: exit 0 when all is done, 75 when not.")
@click.option(
    "--every",
    default=60,
    show_default=True,
    type=click.IntRange(1, 86_400),
    help="How many seconds lie between two looks.",
)
def imap(*, once: bool, every: int) -> None:
    """Take in messages from an IMAP folder until stopped.

    A message is moved to the folder Done beside it when what it does is committed, and stays
    where it is until then. What came in longer than QUARANTINE_RETENTION_DAYS ago is deleted from Done.
    """
    logs.configure()
    stop = asked_to_stop()
    try:
        with _imap_folder() as folder:
            if not once:
                click.echo(f"Looking every {every} seconds (Ctrl+C stops)", err=True)
            all_done = folder.look(stop)
            while not once and not stop.wait(every):
                folder.look(stop)
    except KeyCheckError:
        raise  # a wrong setting: to try again would not help
    except UnavailableError as error:
        click.echo(f"Error: {error}. Try again later.", err=True)
        sys.exit(TEMPORARY_FAILURE)
    if once and not all_done:
        sys.exit(TEMPORARY_FAILURE)


@contextmanager
def _imap_folder() -> Iterator[ImapFolder]:
    with opened_database(KeyKind.SERVER, KeyKind.LINK, long_statements=False) as (settings, database):
        if settings.imap_url is None:
            click.echo("PREFERENCE_CENTER_IMAP_URL is missing: there is no mailbox.", err=True)
            sys.exit(2)
        receiver = MailProcessor(database, settings, utc_now)
        yield ImapFolder(settings.imap_url, receiver, settings.quarantine_retention)


@click.command()
@click.option("--since", type=_DAY, help="From this day (UTC) on; by default, 30 days back.")
@click.option("--until", type=_DAY, help="Before this day.")
def inbound(since: datetime | None, until: datetime | None) -> None:
    """Count what came in from mail systems, and what it did.

    Mails are those of `receive`, `lmtp` and `imap`; events are those that mail providers post.
    "forged" and "a token that we did not sign" are what did nothing because nobody proved it.
    """
    first = since or utc_now() - timedelta(days=30)
    end = until or utc_now() + timedelta(days=1)
    with opened_database() as (_, database), database.reading() as session:
        totals = inbound_counts.totals(session, first.date(), end.date())
    for channel, effect, count in totals:
        click.echo(f"{count:>12,}  {channel:<10}{effect}")
    if not totals:
        click.echo("Nothing came in.")


@click.group()
def unread() -> None:
    """See the messages that came in and nobody understood.

    `purge` forgets them in time.
    """


@unread.command("list")
def list_unread() -> None:
    """List them, oldest first."""
    with opened_database() as (_, database), database.reading() as session:
        kept = quarantine.list_all(session)
        for mail in kept:
            size = f"{mail.size:,} bytes"
            click.echo(
                f"{mail.digest.hex()[:12]}  {mail.received_at:%Y-%m-%d %H:%M}  {size}  {mail.why}"
            )
    if not kept:
        click.echo("There is nothing unread.")


@unread.command()
@click.argument("digest")
def show(digest: str) -> None:
    """Write a message to standard output, as it came.

    DIGEST is what its digest, as `list` shows it, begins with.
    """
    with opened_database() as (_, database), database.reading() as session:
        mail = quarantine.find(session, digest)
        if mail is None:
            raise click.BadParameter("there is no such message")
        sys.stdout.buffer.write(mail.raw)


@unread.command()
@click.argument("digest")
def drop(digest: str) -> None:
    """Forget the message whose digest begins with DIGEST."""
    with opened_database() as (_, database), database.transaction() as session:
        mail = quarantine.find(session, digest)
        if mail is None:
            raise click.BadParameter("there is no such message")
        quarantine.delete_message(session, mail)
    click.echo("Forgotten.")
