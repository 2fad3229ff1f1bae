"""`api-keys`: create, list and revoke the keys of the JSON API."""

from datetime import datetime

import click

from preference_center.cli.database import opened_database
from preference_center.cli.parameters import Time, values
from preference_center.core import api_keys
from preference_center.core.api_keys import ApiKey
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.util.clock import utc_now
from preference_center.util.text import is_one_line


@click.group("api-keys")
def api_keys_group() -> None:
    """Create, list and revoke the keys of the JSON API."""


@api_keys_group.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(values(ApiScope)),
    required=True,
    multiple=True,
    help="What the key is for; repeat the option for several.",
)
@click.option("--test", is_flag=True, help="It acts on reserved addresses only, and sends nothing.")
@click.option("--expires", type=Time(), help="The key is refused from this time on.")
def create(name: str, scopes: tuple[str, ...], test: bool, expires: datetime | None) -> None:
    """Create a key and print it. NAME says which program uses it.

    \b
    preference-center api-keys create newsletter --scope audience --scope links > key

    The key is printed once, on standard output; the database keeps only its SHA-256. To
    replace a key, create another one, give it to the program, then revoke the old one.
    """
    if not (name.strip() and is_one_line(name) and len(name) <= api_keys.MAX_NAME_LENGTH):
        raise click.UsageError("NAME is 1 to 100 characters without line breaks.")
    kind, now = ApiKeyKind.TEST if test else ApiKeyKind.LIVE, utc_now()
    if expires is not None and expires <= now:
        raise click.UsageError("--expires is in the past.")
    wanted = [ApiScope(each) for each in scopes]
    with opened_database() as (_, database), database.transaction() as session:
        key, text = api_keys.create(session, name.strip(), kind, wanted, now, expires)
    click.echo(text)
    click.echo(f"Created {key.prefix}… for {key.name}. It is not shown again.", err=True)


@api_keys_group.command("list")
def list_keys() -> None:
    """List all keys, the newest first, by their visible beginning."""
    now = utc_now()
    with opened_database() as (_, database), database.reading() as session:
        known = api_keys.list_all(session)
    for each in known:
        scopes = ", ".join(sorted(each.scopes))
        click.echo(f"{each.prefix}…  {_state(each, now):24}  {each.name}  ({scopes})")
    if not known:
        click.echo(
            "There are no keys. Create one: preference-center api-keys create NAME --scope S"
        )


@api_keys_group.command()
@click.argument("prefix")
def revoke(prefix: str) -> None:
    """Revoke the key with this visible beginning, at once.

    PREFIX is the beginning that `api-keys list` shows. If several keys share it, all of them
    are revoked.
    """
    with opened_database() as (_, database), database.transaction() as session:
        revoked = api_keys.revoke(session, prefix.rstrip("…"), utc_now())
    if not revoked:
        raise click.UsageError("No key begins like this. See: preference-center api-keys list")
    for each in revoked:
        click.echo(f"Revoked {each.prefix}… of {each.name}.")


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if not key.is_valid(now):
        return "expired"
    return f"used {key.last_used_on:%Y-%m-%d}" if key.last_used_on else "never used"
