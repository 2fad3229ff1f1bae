"""`purge`: forget what is no longer needed."""

from collections.abc import Callable

import click

from preference_center.cli.common import opened_database, progress
from preference_center.core import retention
from preference_center.core.retention import Retention, Step
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.util.clock import utc_now


@click.command()
@click.option("--dry-run", is_flag=True, help="Count what would be forgotten, and keep it.")
def purge(dry_run: bool) -> None:
    """Forget what is older than the KEEP_… settings say.

    Run it once a day.

    It goes in short steps beside everything else that runs, and where it was cut off the next
    run goes on. Stops, subscriptions and the ledger are kept.
    """
    with opened_database() as (settings, database), progress("Purging", None) as advance:
        keep = _retention(settings)
        if dry_run:
            with database.reading() as session:
                counts = retention.due(session, keep, utc_now())
        else:
            counts = {each.name: _run(database, each, keep, advance) for each in retention.STEPS}
    click.echo("Would be forgotten:" if dry_run else "Forgotten:")
    for name, count in counts.items():
        click.echo(f"{count:>12,}  {name}")


def _run(database: Database, step: Step, keep: Retention, advance: Callable[[int], None]) -> int:
    """Repeat a step until nothing is left for it, and return how much it forgot."""
    forgotten, found = 0, retention.BATCH_SIZE
    while found == retention.BATCH_SIZE:
        with database.transaction() as session:
            found = step.run(session, keep, utc_now())
        forgotten += found
        advance(found)
    return forgotten


def _retention(settings: Settings) -> Retention:
    return Retention(
        outbox=settings.outbox_retention,
        claims=settings.claim_retention,
        # A text points at somebody too: its person goes when it goes, at the latest.
        reason_identities=min(settings.reason_identity_retention, settings.reason_text_retention),
        reason_notes=settings.reason_text_retention,
        quarantine=settings.quarantine_retention,
        dedup=settings.dedup_retention,
        domain_counts=settings.domain_count_retention,
    )
