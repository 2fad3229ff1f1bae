"""Commands about single people and the ledger of all of them."""

import sys
from contextlib import suppress
from uuid import UUID

import click

from preference_center.cli.common import opened_database, progress
from preference_center.core import erasure, ledger, subscribers
from preference_center.core.vocab import KeyKind, Source
from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, clean
from preference_center.util.clock import utc_now


@click.command()
@click.argument("person")
def erase(person: str) -> None:
    """Erase PERSON, an address or a subscriber id, for good.

    What stays is a fingerprint with the suppression, so that no later import emails them again.
    """
    opened = opened_database(KeyKind.IDENTITY, KeyKind.SERVER)
    with opened as (settings, database), database.transaction() as session:
        ids = _ids_of(person, settings.identity_key)
        known = any(subscribers.find(session, each) is not None for each in ids)
        erased = erasure.erase_all(session, ids, Source.CLI, utc_now())
    if not known:
        click.echo(
            "This address or id was not on record: check how it is spelled. "
            "It is suppressed now, so that no import emails it."
        )
    else:
        click.echo("Erased." if erased else "This person was erased before.")


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


def _ids_of(person: str, identity_key: str) -> list[UUID]:
    """Return the subscriber ids of an address: also that of the text as it came, if it was unclean.

    A list that held the address in that form may have been imported before addresses were cleaned.
    """
    with suppress(ValueError):
        return [UUID(person)]
    try:
        texts = (clean(person), person)
    except UnclearAddressError as error:
        raise click.BadParameter(f"neither an address nor a subscriber id: {error}") from None
    return sorted({fingerprint(text, identity_key) for text in texts})
