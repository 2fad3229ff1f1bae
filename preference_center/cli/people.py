"""Whom an argument of a command names."""

from contextlib import suppress
from uuid import UUID

import click

from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, clean


def id_of(person: str, identity_key: str) -> UUID:
    """Return the subscriber id of an address, once it is cleaned, or the id that was given."""
    with suppress(ValueError):
        return UUID(person)
    return fingerprint(_cleaned(person), identity_key)


def ids_of(person: str, identity_key: str) -> list[UUID]:
    """Return the subscriber ids of an address, before and after it is cleaned.

    Earlier imports may have stored the address without cleaning it.
    """
    with suppress(ValueError):
        return [UUID(person)]
    texts = (_cleaned(person), person)
    return sorted({fingerprint(text, identity_key) for text in texts})


def _cleaned(person: str) -> str:
    try:
        return clean(person)
    except UnclearAddressError as error:
        raise click.BadParameter(f"neither an address nor a subscriber id: {error}") from None
