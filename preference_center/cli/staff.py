"""`staff`: invite, list and remove the members of staff who use the console."""

import click

from preference_center.cli.database import opened_database
from preference_center.cli.parameters import values
from preference_center.core.staff import audit, members
from preference_center.core.staff.members import Member
from preference_center.core.staff_vocab import StaffRole
from preference_center.core.vocab import KeyKind
from preference_center.settings.checks import header_address
from preference_center.util.clock import utc_now


@click.group("staff")
def staff_group() -> None:
    """Invite, list and remove the members of staff who use the console."""


@staff_group.command()
@click.argument("email")
@click.option("--role", type=click.Choice(values(StaffRole)), help="Needed for a new member.")
@click.option(
    "--export/--no-export", "may_export", default=None, help="Whether they may export addresses."
)
@click.option("--send", is_flag=True, help="Email the link instead of printing it.")
def invite(email: str, role: str | None, may_export: bool | None, send: bool) -> None:
    """Print a link with which a member creates a passkey. It works once, for 30 minutes.

    \b
    preference-center staff invite ada@example.org --role admin

    For a member who has lost their passkeys, run it again without --role. With --send, `worker`
    emails the link through SMTP_URL; no one else sees it, and its 30 minutes begin then.
    """
    if header_address(email) is None:
        raise click.UsageError("EMAIL is not an email address.")
    with (
        opened_database(KeyKind.LINK, KeyKind.SERVER) as (settings, database),
        database.transaction() as session,
    ):
        if not settings.secret_key:
            raise click.ClickException(
                "There is no console: set PREFERENCE_CENTER_SECRET_KEY, and restart the server."
            )
        if send and settings.smtp_url is None:
            raise click.ClickException("--send needs PREFERENCE_CENTER_SMTP_URL.")
        wanted, now = StaffRole(role) if role else None, utc_now()
        if send:
            member = members.invite_by_email(
                session, email, wanted, now, by=None, may_export=may_export
            )
        else:
            member, token = members.invite(
                session, email, wanted, now, by=None, may_export=may_export
            )
    if send:
        click.echo(f"The worker emails the link to {member.email} ({member.role}).", err=True)
        return
    click.echo(settings.invitation_url(token))
    click.echo(f"Give this link to {member.email} ({member.role}). It works once.", err=True)


@staff_group.command("list")
def list_members() -> None:
    """List the members, their roles, and how many passkeys each has."""
    with opened_database() as (_, database), database.reading() as session:
        known = members.list_all(session)
    for each in known:
        click.echo(_line(each))
    if not known:
        click.echo(
            "There are no members. Invite one: preference-center staff invite EMAIL --role admin"
        )


@staff_group.command()
@click.argument("email")
def remove(email: str) -> None:
    """Remove a member with their passkeys, and end their sessions at once."""
    with opened_database(KeyKind.SERVER) as (_, database), database.transaction() as session:
        member = members.remove(session, email, by=None, now=utc_now())
    click.echo(f"Removed {member.email}.")


@staff_group.command()
def verify() -> None:
    """Verify the audit trail. Exit with 1 if a row was changed or is missing."""
    with opened_database(KeyKind.SERVER) as (_, database), database.reading() as session:
        problem = audit.verify(session)
    if problem is not None:
        raise click.ClickException(problem)
    click.echo("The audit trail is complete.")


def _line(member: Member) -> str:
    export = ", may export" if member.may_export else ""
    passkeys = f"{member.passkeys} passkey{'' if member.passkeys == 1 else 's'}"
    return f"{member.email}  {member.role}{export}  ({passkeys})"
