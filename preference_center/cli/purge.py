"""`purge`: delete expired data."""

from collections.abc import Callable

import click

from preference_center.cli.database import opened_database
from preference_center.cli.files import progress
from preference_center.core import purging, retention, rollups
from preference_center.core.purging import Retention, Step
from preference_center.settings.settings import Settings
from preference_center.store import Database
from preference_center.util.clock import utc_now


@click.command()
@click.option("--dry-run", is_flag=True, help="Count the expired data without deleting it.")
def purge(dry_run: bool) -> None:
    """Delete expired data.

    Run it once a day. The …_RETENTION_DAYS settings say how long data is kept.
    Unsubscribes, subscriptions and the ledger are never deleted.

    It also sums up the counts of past days, so that the report and the console's figures
    are read quickly.

    It works in short transactions while everything else runs. If it is interrupted, the
    next run continues.
    """
    with opened_database() as (settings, database), progress("Purging", None) as advance:
        keep = _retention(settings)
        if dry_run:
            with database.reading() as session:
                counts = retention.due(session, keep, utc_now())
        else:
            counts = {each.name: _run(database, each, keep, advance) for each in retention.STEPS}
            _fold_counts(database)
    click.echo("Would be purged:" if dry_run else "Purged:")
    for name, count in counts.items():
        click.echo(f"{count:>12,}  {name}")


def _run(database: Database, step: Step, keep: Retention, advance: Callable[[int], None]) -> int:
    """Repeat a step until it finds no more data, and return how many rows it purged."""
    purged, found = 0, purging.BATCH_SIZE
    while found == purging.BATCH_SIZE:
        with database.transaction() as session:
            found = step.run(session, keep, utc_now())
        purged += found
        advance(found)
    return purged


def _fold_counts(database: Database) -> None:
    found = 1
    while found:
        with database.transaction() as session:
            found = rollups.fold(session, utc_now())


def _retention(settings: Settings) -> Retention:
    return Retention(
        outbox=settings.outbox_retention,
        claims=settings.claim_retention,
        # A reason's text may identify its author too: delete the identity no later than the text.
        reason_identities=min(settings.reason_identity_retention, settings.reason_text_retention),
        reason_notes=settings.reason_text_retention,
        quarantine=settings.quarantine_retention,
        dedup=settings.dedup_retention,
        domain_counts=settings.domain_count_retention,
        data_complaints=settings.data_complaint_retention,
        audit=settings.audit_retention,
    )
