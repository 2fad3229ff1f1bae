"""`receive`: process one message that a mail server pipes in."""

import logging
import os
import sys

import click

from preference_center.cli.database import opened_database
from preference_center.core.vocab import KeyKind
from preference_center.inbound.mail import MAX_MESSAGE_BYTES, MailProcessor
from preference_center.store import SchemaError, UnavailableError
from preference_center.util import logs
from preference_center.util.clock import utc_now

log = logging.getLogger(__name__)


@click.command()
@click.option("--recipient", multiple=True, help="An envelope recipient; may be repeated.")
def receive(recipient: tuple[str, ...]) -> None:
    """Process one message that a mail server pipes in.

    \b
    Postfix: preference-center receive --recipient=${recipient}

    Without --recipient, the recipients are read from the message's headers.

    Exit status: 0 once the message is processed; 75 (EX_TEMPFAIL) on a temporary failure,
    which includes wrong settings, so that the mail server retries; 65 (EX_DATAERR) if
    standard input is empty or too large.
    """
    logs.configure()
    raw = sys.stdin.buffer.read(MAX_MESSAGE_BYTES + 1)
    if not raw or len(raw) > MAX_MESSAGE_BYTES:
        click.echo("The message is empty or too large.", err=True)
        sys.exit(os.EX_DATAERR)
    try:
        _process(raw, recipient)
    except SystemExit:  # Settings are wrong, which must not bounce a subscriber's email.
        sys.exit(os.EX_TEMPFAIL)
    except (UnavailableError, SchemaError) as error:
        click.echo(f"Error: {error}. Try again later.", err=True)
        sys.exit(os.EX_TEMPFAIL)
    except Exception as error:  # noqa: BLE001 (a bug of ours must not bounce it either)
        logs.log_unexpected(log, "inbound email", error)
        sys.exit(os.EX_TEMPFAIL)


def _process(raw: bytes, recipients: tuple[str, ...]) -> None:
    uses = (KeyKind.SERVER, KeyKind.LINK)
    with opened_database(*uses, long_statements=False) as (settings, database):
        click.echo(MailProcessor(database, settings, utc_now).process(raw, recipients))
