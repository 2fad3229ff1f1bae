"""Commands about single people and the ledger of all of them."""

import sys
from uuid import UUID

import click

from preference_center.addresses import fingerprint
from preference_center.cli.common import opened_database, progress
from preference_center.clock import utc_now
from preference_center.core import erasure, ledger, subscribers
from preference_center.core.vocab import KeyKind


@click.command()
@click.argument("person")
def erase(person: str) -> None:
    """Erase PERSON, an address or a subscriber id, for good.

    What stays is a fingerprint with the stop, so that no later import mails them again.
    """
    opened = opened_database(KeyKind.IDENTITY, KeyKind.SERVER)
    with opened as (settings, database), database.transaction() as session:
        subscriber_id = _id_of(person, settings.identity_key)
        known = subscribers.find(session, subscriber_id) is not None
        done = erasure.erase(session, subscriber_id, "cli", utc_now())
    if not known:
        click.echo(
            "Nobody was on record under this address or id: check the spelling. "
            "It is suppressed now, so that no import mails it."
        )
    else:
        click.echo("Erased." if done else "This person was erased before.")


@click.command("verify-ledger")
def verify_ledger() -> None:
    """Check every ledger row against the ones before it.

    Exit 1 if one was altered or is gone.
    """
    count = broken = 0
    with (
        opened_database(KeyKind.SERVER) as (_, database),
        database.reading() as session,
        progress("Verifying", None) as advance,
    ):
        for problem in ledger.verify(session):
            count += 1
            advance(1)
            if problem is not None:
                broken += 1
                click.echo(problem, err=True)
    click.echo(f"{count:,} subscribers checked, {broken:,} broken.")
    sys.exit(1 if broken else 0)


def _id_of(person: str, identity_key: str) -> UUID:
    if "@" in person:
        return fingerprint(person, identity_key)
    try:
        return UUID(person)
    except ValueError:
        raise click.BadParameter("neither an address nor a subscriber id") from None
