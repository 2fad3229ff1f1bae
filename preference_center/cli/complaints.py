"""`complaints`: list, acknowledge and close complaints about how data are used."""

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
    """List, acknowledge and close complaints about the use of data.

    People complain on the page of their data. Each complaint is emailed to CONTACT, and is
    to be acknowledged within 30 days.
    """


@complaints_group.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are closed.")
def list_complaints(everything: bool) -> None:
    """List complaints, oldest first.

    Each has the day by which to acknowledge it, and "(late)" if that is over. One that was
    acknowledged stays in the list until it is closed.
    """
    now, is_empty = utc_now(), True
    with opened_database() as (_, database), database.reading() as session:
        for each in data_complaints.read(session, closed=everything):
            is_empty = False
            click.echo(_shown(each, now))
    if is_empty:
        click.echo("There are no complaints." if everything else "All are closed.")


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


@complaints_group.command()
@click.argument("reference")
@click.option("--outcome", prompt=True, help="What the person was told.")
@click.option("--by", prompt=True, help="Who has closed it.")
def close(reference: str, outcome: str, by: str) -> None:
    """Record the outcome of a complaint.

    `complaints list` shows its REFERENCE. No email is sent: write to the person first. They find
    the outcome in their data. The complaint counts as acknowledged, too.
    """
    subscriber_id, number = _parsed(reference)
    outcome = data_complaints.cleaned(outcome)
    with opened_database() as (_, database), database.transaction() as session:
        before = data_complaints.close(session, subscriber_id, number, outcome, by, utc_now())
    if before.closed_at is not None:
        click.echo(f"It was closed on {before.closed_at:{_DAY}}.")
    else:
        click.echo("Recorded as closed.")


def _parsed(reference: str) -> tuple[UUID, int]:
    found = re.fullmatch(r"([0-9a-fA-F-]{36})/([1-9][0-9]{0,8})", reference)
    try:
        return (UUID(found[1]), int(found[2])) if found else _refuse(reference)
    except ValueError:
        return _refuse(reference)


def _refuse(reference: str) -> tuple[UUID, int]:
    raise click.BadParameter(f"{reference!r} is not a reference, as `complaints list` shows it.")


def _shown(complaint: Complaint, now: datetime) -> str:
    text = complaint.text or "(the text was erased with the other data)"
    if complaint.outcome:
        text += f"\nOutcome: {complaint.outcome}"
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    who, state = complaint.email or "erased", _state(complaint, now)
    return f"{complaint.reference}  {complaint.received_at:{_DAY}}  {who}  {state}\n{lines}"


def _state(complaint: Complaint, now: datetime) -> str:
    if complaint.closed_at is not None:
        return f"closed {complaint.closed_at:{_DAY}} by {complaint.closed_by}"
    if complaint.acknowledged_at is not None:
        return f"acknowledged {complaint.acknowledged_at:{_DAY}} by {complaint.acknowledged_by}"
    late = " (late)" if complaint.is_late(now) else ""
    return f"acknowledge by {complaint.due_at:{_DAY}}{late}"
