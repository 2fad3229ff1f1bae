"""`keys`: which keys the database is used with, and which of them sign."""

import click

from preference_center.cli.common import opened_database
from preference_center.core.vocab import KeyKind
from preference_center.store import keys
from preference_center.util.clock import utc_now


@click.group("keys")
def keys_group() -> None:
    """List the keys of the database; let a new one sign."""


@keys_group.command("list")
def list_keys() -> None:
    """List the keys of this database and of these settings.

    A key is shown by the start of its check value, which tells nothing about the key. The key
    that signs is the newest one that is both on record and in the settings.
    """
    with opened_database(*KeyKind) as (_, database), database.reading() as session:
        on_record = keys.listed(session)
        given = {
            keys.check_value(kind, key): (kind, key == database.signing_keys[kind][-1])
            for kind, values in database.given_keys.items()
            for key in values
        }
    for each in on_record:
        held = given.pop(each.check_value, None)
        state = "not in these settings" if held is None else "signs" if held[1] else "verifies"
        _show(KeyKind(each.kind), each.check_value, f"since {each.added_at:%Y-%m-%d}", state)
    for value, (kind, _) in given.items():
        _show(kind, value, "not on record", "verifies; run: preference-center keys rotate")


@keys_group.command()
def rotate() -> None:
    """Let the newest key of SERVER_KEYS and of LINK_KEYS sign from now on.

    Run it when every process has been restarted with the new key at the end of its list: a link
    that a process signs must be readable to all others. IDENTITY_KEY never changes.
    """
    with opened_database(*KeyKind) as (_, database), database.transaction() as session:
        for kind in (KeyKind.SERVER, KeyKind.LINK):
            newest = database.given_keys[kind][-1]
            name = keys.SETTINGS[kind]
            if newest == database.signing_keys[kind][-1]:
                click.echo(f"{name}: its newest key signs already.")
            else:
                keys.add(session, kind, [newest], utc_now())
                click.echo(f"{name}: its newest key signs from now on.")


def _show(kind: KeyKind, check_value: bytes, since: str, state: str) -> None:
    click.echo(f"{kind:<10}{check_value.hex()[:8]}  {since:<18}{state}")
