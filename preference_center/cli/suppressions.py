"""`suppressions lift`: take back stops that mail systems have made by mistake."""

from datetime import datetime

import click

from preference_center.cli.common import Time, opened_database, progress
from preference_center.core import recovery
from preference_center.core.change import ChangeContext
from preference_center.core.vocab import KeyKind, Source
from preference_center.util.clock import utc_now


@click.group()
def suppressions() -> None:
    """Look after the stops that lie above all topics."""


@suppressions.command()
@click.option(
    "--source",
    type=click.Choice(["bounce"]),
    required=True,
    help="What made the stops. What people said themselves is theirs alone to take back.",
)
@click.option("--domain", required=True, help="Of the addresses: gmail.com.")
@click.option("--since", type=Time(), required=True, help="Stopped at this time or later.")
@click.option("--until", type=Time(), help="Stopped before this time; by default, now.")
@click.option("--dry-run", is_flag=True, help="Count what would be lifted, and keep it.")
def lift(source: str, domain: str, since: datetime, until: datetime | None, dry_run: bool) -> None:
    """Lift the stops that bounces made by mistake.

    Those of one domain's addresses, made in one stretch of time:

    \b
    preference-center suppressions lift --source bounce --domain gmail.com \\
        --since 2020-12-14 --until 2020-12-16

    For a mail system that has answered "no such mailbox" for mailboxes that are there. What a
    person chose before comes back as it was; what was said again since, in another way, stays.
    Addresses that are not on record have no domain that we know: their stops stay.
    """
    now = utc_now()
    stops = recovery.BounceFilter(domain, since, min(until or now, now))
    lifted = 0
    with (
        opened_database(KeyKind.SERVER) as (_, database),
        database.reading() as reading,
        progress("Lifting", None) as advance,
    ):
        for kind, people in recovery.find_suppressed(reading, stops):
            with database.transaction(dry_run=dry_run) as session:
                lifted += recovery.remove_suppressions(
                    session, kind, people, stops, ChangeContext(Source.CLI, now, now)
                )
            advance(len(people))
    done = "that would be lifted" if dry_run else "lifted"
    click.echo(f"Stops by {source} at {domain} {done}: {lifted:,}")
