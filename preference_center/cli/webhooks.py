"""`webhooks`: add, list, replay and remove the receivers of events."""

from datetime import datetime
from uuid import UUID

import click

from preference_center.cli.database import opened_database
from preference_center.cli.parameters import Time, values
from preference_center.core import webhooks
from preference_center.core.api_vocab import EventName
from preference_center.core.vocab import KeyKind
from preference_center.core.webhooks import Webhook
from preference_center.util.clock import utc_now
from preference_center.util.destinations import RefusedUrlError, resolve

_MAX_SECONDS = 5.0  # to resolve the host of a URL


@click.group("webhooks")
def webhooks_group() -> None:
    """Add, list, replay and remove webhooks."""


@webhooks_group.command()
@click.argument("url")
@click.option(
    "--event",
    "events",
    type=click.Choice(values(EventName)),
    multiple=True,
    help="Post only these events; repeat the option for several.",
)
def add(url: str, events: tuple[str, ...]) -> None:
    """Post the events from now on to a URL.

    The secret that signs them is printed once, on standard output. The host of URL must have public
    addresses only, or addresses in WEBHOOK_PRIVATE_NETWORKS.
    """
    names = [EventName(each) for each in events]
    with opened_database(KeyKind.SERVER) as (settings, database):
        try:
            resolve(url, settings.webhook_private_networks, _MAX_SECONDS)
        except (RefusedUrlError, OSError) as error:
            raise click.UsageError(f"URL cannot be used: {error}.") from None
        with database.transaction() as session:
            added, secret = webhooks.add(session, url, names, utc_now())
    click.echo(secret)
    click.echo(f"Added {added.id}. The secret is not shown again.", err=True)


@webhooks_group.command("list")
def list_webhooks() -> None:
    """List all webhooks, the oldest first.

    \b
    preference-center webhooks list

    Each has its state, how many events wait or have failed, and what came of the last attempt.
    """
    with opened_database() as (_, database), database.reading() as session:
        known = webhooks.list_all(session)
    for each in known:
        click.echo(_line(each))
    if not known:
        click.echo("There are no webhooks. Add one: preference-center webhooks add URL")


@webhooks_group.command()
@click.argument("webhook", type=click.UUID)
@click.option("--since", type=Time(), help="Post the events since this time again.")
def replay(webhook: UUID, since: datetime | None) -> None:
    """Activate a webhook, and post again what it has not accepted.

    WEBHOOK is the id that `webhooks list` shows. Events are kept for 30 days.
    """
    with opened_database() as (_, database), database.transaction() as session:
        webhooks.replay(session, webhook, utc_now(), since=since)
        click.echo(_line(webhooks.get(session, webhook)))


@webhooks_group.command()
@click.argument("webhook", type=click.UUID)
def remove(webhook: UUID) -> None:
    """Delete a webhook. What it has not accepted is not posted.

    WEBHOOK is the id that `webhooks list` shows.
    """
    with opened_database() as (_, database), database.transaction() as session:
        webhooks.remove(session, webhook)
    click.echo(f"Removed {webhook}.")


def _line(webhook: Webhook) -> str:
    due = f" until {webhook.next_attempt_at:%Y-%m-%d %H:%M UTC}" if webhook.next_attempt_at else ""
    counts = f"{webhook.waiting:,} waiting{due}, {webhook.failed:,} failed"
    result = webhook.last_result or "never tried"
    return f"{webhook.id}  {webhook.state:8}  {counts}  ({result})  {webhook.url}"
