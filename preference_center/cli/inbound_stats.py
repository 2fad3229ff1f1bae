"""`inbound-stats`: count inbound messages and provider events by their effect."""

from datetime import datetime, timedelta

import click

from preference_center.cli.database import opened_database
from preference_center.core import inbound_counts
from preference_center.util.clock import utc_now

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("inbound-stats")
@click.option("--since", type=_DAY, help="From this day (UTC); by default, 30 days ago.")
@click.option("--until", type=_DAY, help="Before this day (UTC).")
def inbound_stats(since: datetime | None, until: datetime | None) -> None:
    """Count inbound messages and events.

    Counts messages to `receive`, `lmtp` and `imap` and the events that providers post, by
    channel and effect. `invalid_signature` and "a token that we did not sign" had no effect
    because their origin could not be verified.
    """
    first = since or utc_now() - timedelta(days=30)
    end = until or utc_now() + timedelta(days=1)
    with opened_database() as (_, database), database.reading() as session:
        totals = inbound_counts.totals(session, first.date(), end.date())
    for channel, effect, count in totals:
        click.echo(f"{count:>12,}  {channel:<10}{effect}")
    if not totals:
        click.echo("There were no inbound messages or events.")
