"""`suppressions`: remove those that a mail system caused by mistake, or that a person regrets."""

from datetime import datetime

import click

from preference_center.cli.database import opened_database
from preference_center.cli.files import progress
from preference_center.cli.parameters import Time
from preference_center.core import recovery
from preference_center.core.apply import apply_one
from preference_center.core.change import ChangeContext
from preference_center.core.lifting import LiftOwnStop
from preference_center.core.vocab import KeyKind, Source
from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, clean
from preference_center.util.clock import utc_now


@click.group()
def suppressions() -> None:
    """Manage suppressions."""


@suppressions.command()
@click.option(
    "--source",
    type=click.Choice(["bounce"]),
    required=True,
    help="What caused them. Only subscribers can take back their own unsubscribes.",
)
@click.option("--domain", required=True, help="The domain of the addresses, like gmail.com.")
@click.option("--since", type=Time(), required=True, help="Suppressed at this time or later.")
@click.option("--until", type=Time(), help="Suppressed before this time; by default, now.")
@click.option("--dry-run", is_flag=True, help="Count the suppressions without removing them.")
def remove(
    source: str, domain: str, since: datetime, until: datetime | None, dry_run: bool
) -> None:
    """Remove suppressions that false bounces have caused.

    \b
    preference-center suppressions remove --source bounce --domain gmail.com \\
        --since 2020-12-14 --until 2020-12-16

    Use it after a mail system has answered "no such mailbox" for mailboxes that exist. The
    preferences from before the bounce apply again. A suppression that was repeated later,
    by a complaint for example, stays. So does one of an unknown address, because its domain
    is not on record.
    """
    now = utc_now()
    wanted = recovery.BounceFilter(domain, since, min(until or now, now))
    context, removed = ChangeContext(Source.CLI, now, now), 0
    with (
        opened_database(KeyKind.SERVER) as (_, database),
        database.reading() as reading,
        progress("Removing", None) as advance,
    ):
        for kind, ids in recovery.find_suppressed(reading, wanted):
            with database.transaction(dry_run=dry_run) as session:
                removed += recovery.remove_suppressions(session, kind, ids, wanted, context)
            advance(len(ids))
    click.echo(f"Suppressions {'that would be ' if dry_run else ''}removed: {removed:,}")


@suppressions.command()
@click.argument("address")
@click.option(
    "--request",
    required=True,
    help="How the person asked for it, like 'phone, 22 November, Ms Smith'. The ledger keeps it.",
)
def lift(address: str, request: str) -> None:
    """Let a person sign up again who has pressed "Never email me".

    Use it only if the person has asked for it. They get nothing by it: it leaves an unsubscribe
    from everything, which they end by signing up. A suppression that a sender or a mail system has
    set stays.

    Exit status: 1 if this address has no such suppression.
    """
    now = utc_now()
    try:
        email = clean(address)
    except UnclearAddressError as error:
        raise click.BadParameter(f"not an address: {error}") from None
    context = ChangeContext(Source.CLI, now, now, stated_source=f"request: {request}")
    opened = opened_database(KeyKind.IDENTITY, KeyKind.SERVER)
    with opened as (settings, database), database.transaction() as session:
        subscriber_id = fingerprint(email, settings.identity_key)
        lifted = apply_one(session, LiftOwnStop(subscriber_id, context), now)
    if not lifted:
        raise click.ClickException("This address has not asked to never be emailed.")
    click.echo("Lifted. The person can sign up again.")
