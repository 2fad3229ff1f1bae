"""`lmtp`: process messages that a mail server delivers."""

import click

from preference_center.cli.common import stop_event
from preference_center.cli.database import opened_database
from preference_center.core.vocab import KeyKind
from preference_center.inbound.lmtp import listening
from preference_center.inbound.mail import MailProcessor
from preference_center.util import logs
from preference_center.util.clock import utc_now


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:8024",
    show_default=True,
    help="HOST:PORT to which the mail server delivers.",
)
def lmtp(listen: str) -> None:
    """Process messages that a mail server delivers by LMTP.

    Runs until it is stopped. Postfix and Exim can deliver by LMTP (RFC 2033).

    A message is acknowledged once its effects are committed. If the database is
    unavailable, the answer is 451 and the mail server retries.
    """
    host, _, port = listen.rpartition(":")
    if not (host and port.isdigit() and 0 < int(port) < 65_536):
        raise click.BadParameter("must look like 127.0.0.1:8024", param_hint="--listen")
    logs.configure()
    stop = stop_event()
    uses = (KeyKind.SERVER, KeyKind.LINK)
    with opened_database(*uses, long_statements=False) as (settings, database):
        processor = MailProcessor(database, settings, utc_now)
        with listening(processor, host.strip("[]"), int(port)):
            click.echo(f"Listening on {listen} (Ctrl+C stops)", err=True)
            stop.wait()
