"""`erase` one subscriber, and `verify-ledger` for all of them."""

import sys
from contextlib import closing

import click

from preference_center.cli.database import opened_database
from preference_center.cli.files import progress
from preference_center.cli.people import ids_of
from preference_center.core import erasure, subscribers, unacknowledged, verification
from preference_center.core.vocab import KeyKind, Source
from preference_center.util.clock import utc_now


@click.command()
@click.argument("person")
def erase(person: str) -> None:
    """Erase a subscriber permanently.

    PERSON is an email address or a subscriber id. A keyed hash of the address and a
    suppression stay, so that a later import cannot make it receive email again.

    The address is held, encrypted, until every webhook and every reader of the feed has
    acknowledged the erasure, for 7 days at most. `erasures` lists those that wait.
    """
    now = utc_now()
    opened = opened_database(KeyKind.IDENTITY, KeyKind.SERVER)
    with opened as (settings, database), database.transaction() as session:
        ids = ids_of(person, settings.identity_key)
        known = any(subscribers.find(session, each) is not None for each in ids)
        erased = erasure.erase(session, ids, Source.CLI, now)
        held = [unacknowledged.find(session, each, now) for each in ids]
    if not known:
        click.echo(
            "This address or id was not on record: check its spelling. "
            "It is suppressed now, so that no import makes it receive email."
        )
    else:
        click.echo("Erased." if erased else "This subscriber was erased before.")
    if any(each is not None and each.email for each in held):
        click.echo(
            "The address is held, encrypted, until all webhooks and readers of the feed have "
            f"acknowledged it, for {unacknowledged.HELD_FOR.days} days at most."
        )


@click.command("verify-ledger")
def verify_ledger() -> None:
    """Check that the ledger was not altered.

    Verifies the seal of each row, and that no row is missing.

    Exit status: 0 if the ledger is complete and unaltered, 1 if not.
    """
    count = broken = 0
    with (
        opened_database(KeyKind.SERVER) as (_, database),
        database.reading() as session,
        progress("Verifying", None) as advance,
        closing(verification.verify(session)) as verdicts,
    ):
        for problem in verdicts:
            count += 1
            advance(1)
            if problem is not None:
                broken += 1
                click.echo(problem, err=True)
    click.echo(f"{count:,} subscribers checked, {broken:,} broken.")
    sys.exit(1 if broken else 0)
