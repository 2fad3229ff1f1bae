"""`keys`: list the keys of the database and of the settings, and rotate them."""

import click

from preference_center.cli.database import opened_database
from preference_center.core import unacknowledged, webhooks
from preference_center.core.vocab import KeyKind
from preference_center.store import Database, keys
from preference_center.util.clock import utc_now


@click.group("keys")
def keys_group() -> None:
    """List the keys of the database, and rotate them."""


@keys_group.command("list")
def list_keys() -> None:
    """List the keys of the database and of the settings.

    A key is shown by the beginning of its check value, which does not reveal the key. The
    newest key that is both on record and in the settings signs; the others only verify.
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
    """Start signing with the newest keys.

    First add a new key at the end of SERVER_KEYS or LINK_KEYS, and restart every process
    with it: each must be able to verify the links that another one signs. IDENTITY_KEY
    never changes. The secrets of webhooks, and the addresses of subscribers that are being
    erased, are encrypted again with the newest key.
    """
    with opened_database(*KeyKind) as (_, database):
        with database.transaction() as session:
            for kind in (KeyKind.SERVER, KeyKind.LINK):
                newest = database.given_keys[kind][-1]
                name = keys.SETTINGS[kind]
                if newest == database.signing_keys[kind][-1]:
                    click.echo(f"{name}: the newest key already signs.")
                else:
                    keys.add(session, kind, [newest], utc_now())
                    click.echo(f"{name}: the newest key signs from now on.")
        with database.transaction() as session:  # It has the keys that sign now.
            webhooks.encrypt_again(session)
        _encrypt_addresses_again(database)


def _encrypt_addresses_again(database: Database) -> None:
    after, more = None, True
    while more:
        with database.transaction() as session:
            after = unacknowledged.encrypt_again(session, after)
        more = after is not None


def _show(kind: KeyKind, check_value: bytes, since: str, state: str) -> None:
    click.echo(f"{kind:<10}{check_value.hex()[:8]}  {since:<18}{state}")
