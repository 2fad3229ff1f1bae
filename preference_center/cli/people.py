"""Whom an argument of a command names."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import click

from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, clean, subscriber_ids


def id_of(person: str, identity_key: str) -> UUID:
    """Return the subscriber id of an address, once it is cleaned, or the id that was given."""
    with suppress(ValueError):
        return UUID(person)
    with _refused():
        return fingerprint(clean(person), identity_key)


def ids_of(person: str, identity_key: str) -> list[UUID]:
    """Return the subscriber ids of an address, before and after it is cleaned, or the given id."""
    with _refused():
        return sorted(subscriber_ids(person, identity_key))


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except UnclearAddressError as error:
        raise click.BadParameter(f"neither an address nor a subscriber id: {error}") from None
