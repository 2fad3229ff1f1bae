"""`campaigns`: record and list mailings, which a report divides by."""

from datetime import datetime

import click

from preference_center.cli.database import opened_database
from preference_center.cli.parameters import CAMPAIGN_NAME, Time
from preference_center.core import campaigns
from preference_center.core.campaigns import MAX_SENDER_LENGTH, MAX_SENT, Campaign
from preference_center.util.text import is_one_line


@click.group("campaigns")
def campaigns_group() -> None:
    """Record and list mailings, for the report."""


@campaigns_group.command("set")
@click.argument("name", type=CAMPAIGN_NAME)
@click.option("--topic", required=True, help="The topic of the mailing.")
@click.option("--date", "at", type=Time(), required=True, help="The day it was sent.")
@click.option("--sender", default="", help="The program or the person that sent it.")
@click.option("--sent", type=click.IntRange(0, MAX_SENT), help="How many emails were sent.")
def set_campaign(name: str, topic: str, at: datetime, sender: str, sent: int | None) -> None:
    """Record or replace the mailing NAME, which is its campaign in links.

    A mailing whose emails were claimed by `audience --claim` needs no number: the report
    counts its claims.
    """
    if len(sender) > MAX_SENDER_LENGTH or not is_one_line(sender):
        raise click.UsageError("--sender is at most 200 characters without line breaks.")
    with opened_database() as (_, database), database.transaction() as session:
        campaigns.record(session, Campaign(topic, name, at.date(), sender, sent))


@campaigns_group.command("list")
@click.option("--topic", help="Only this topic.")
def list_campaigns(topic: str | None) -> None:
    """List the newest mailings that were recorded, at most 1,000."""
    with opened_database() as (_, database), database.reading() as session:
        found = campaigns.newest(session, topic)
    for each in found:
        sent = "-" if each.sent is None else f"{each.sent:,}"
        click.echo(f"{each.date}  {each.topic}  {each.name}  {sent}  {each.sender}".rstrip())
