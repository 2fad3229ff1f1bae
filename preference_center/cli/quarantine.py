"""`quarantine`: list, show and drop inbound messages that could not be processed."""

import sys

import click
from sqlalchemy.orm import Session

from preference_center.cli.database import opened_database
from preference_center.core import quarantine
from preference_center.store.tables import QuarantineRow


@click.group("quarantine")
def quarantine_group() -> None:
    """List and show messages we could not process.

    `purge` deletes them after QUARANTINE_RETENTION_DAYS.
    """


@quarantine_group.command("list")
def list_messages() -> None:
    """List quarantined messages, oldest first."""
    with opened_database() as (_, database), database.reading() as session:
        messages = quarantine.list_all(session)
    for each in messages:
        received, size = f"{each.received_at:%Y-%m-%d %H:%M}", f"{each.size:,} bytes"
        click.echo(f"{each.digest.hex()[:12]}  {received}  {size}  {each.why}")
    if not messages:
        click.echo("The quarantine is empty.")


@quarantine_group.command()
@click.argument("digest")
def show(digest: str) -> None:
    """Write a quarantined message to standard output.

    DIGEST is the beginning of its digest, as `list` shows it.
    """
    with opened_database() as (_, database), database.reading() as session:
        sys.stdout.buffer.write(_find(session, digest).raw)


@quarantine_group.command()
@click.argument("digest")
def drop(digest: str) -> None:
    """Delete a quarantined message.

    DIGEST is the beginning of its digest, as `list` shows it.
    """
    with opened_database() as (_, database), database.transaction() as session:
        quarantine.delete_message(session, _find(session, digest))
    click.echo("Deleted.")


def _find(session: Session, digest: str) -> QuarantineRow:
    message = quarantine.find(session, digest)
    if message is None:
        raise click.BadParameter("no message, or more than one, has this digest")
    return message
