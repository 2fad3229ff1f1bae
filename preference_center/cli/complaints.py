"""`complaints`: list and acknowledge complaints about how data are used."""

import re
from datetime import datetime
from uuid import UUID

import click

from preference_center.cli.database import opened_database
from preference_center.core import data_complaints
from preference_center.core.data_complaints import Complaint
from preference_center.util.clock import utc_now

_DAY = "%Y-%m-%d"


@click.group("complaints")
def complaints_group() -> None:
    """List and acknowledge complaints about the use of data.

    People complain on the page of their data. Each complaint is emailed to CONTACT, and is
    to be acknowledged within 30 days.
    """


@complaints_group.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were acknowledged.")
def list_complaints(everything: bool) -> None:
    """List complaints, oldest first.

    Each has the day by which to acknowledge it, and "(late)" if that is over.
    """
    now, is_empty = utc_now(), True
    with opened_database() as (_, database), database.reading() as session:
        for each in data_complaints.read(session, acknowledged=everything):
            is_empty = False
            click.echo(_shown(each, now))
    if is_empty:
        click.echo("There are no complaints." if everything else "All are acknowledged.")


@complaints_group.command()
@click.argument("reference")
@click.option("--by", prompt=True, help="Who acknowledged it.")
def acknowledge(reference: str, by: str) -> None:
    """Record that a complaint was acknowledged.

    `complaints list` shows its REFERENCE. No email is sent: write to the person first.
    """
    subscriber_id, number = _parsed(reference)
    with opened_database() as (_, database), database.transaction() as session:
        before = data_complaints.acknowledge(session, subscriber_id, number, by, utc_now())
    if before.acknowledged_at is not None:
        click.echo(f"It was acknowledged on {before.acknowledged_at:{_DAY}}.")
    else:
        click.echo("Recorded as acknowledged.")


def _parsed(reference: str) -> tuple[UUID, int]:
    found = re.fullmatch(r"([0-9a-fA-F-]{36})/([1-9][0-9]{0,8})", reference)
    try:
        return (UUID(found[1]), int(found[2])) if found else _refuse(reference)
    except ValueError:
        return _refuse(reference)


def _refuse(reference: str) -> tuple[UUID, int]:
    raise click.BadParameter(f"{reference!r} is not a reference, as `complaints list` shows it.")


def _shown(complaint: Complaint, now: datetime) -> str:
    if complaint.acknowledged_at is not None:
        when, by = complaint.acknowledged_at, complaint.acknowledged_by
        state = f"acknowledged {when:{_DAY}} by {by}"
    else:
        late = " (late)" if complaint.is_late(now) else ""
        state = f"acknowledge by {complaint.due_at:{_DAY}}{late}"
    text = complaint.text or "(the text was erased with the other data)"
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    who = complaint.email or "erased"
    return f"{complaint.reference}  {complaint.received_at:{_DAY}}  {who}  {state}\n{lines}"
