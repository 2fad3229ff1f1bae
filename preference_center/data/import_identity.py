"""Find out who a row is about, by its columns `email` and `id`."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from preference_center.data.import_cells import BadRowError, Cells
from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, clean, lookalikes, split


@dataclass(frozen=True)
class RowIdentity:
    """The person whom a row is about. `email` is None if the row has only an id."""

    id: UUID
    email: str | None


@dataclass(frozen=True)
class RowIdentities:
    """The people whom an unsubscribe is about.

    `aliases` are other subscriber ids under which the same people may be on record. `cleaned` is
    True if the email had to be cleaned.
    """

    people: list[RowIdentity]
    aliases: list[UUID]
    cleaned: bool


def read_identity(cells: Mapping[str, str], identity_key: str) -> RowIdentity:
    """Return the identity in a row's cells, or raise BadRowError.

    An id that is not a subscriber id belongs to another system, and is ignored if there is an
    email.
    """
    text, subscriber_id = cells.get("email", "").strip(), read_subscriber_id(cells)
    if not text:
        return RowIdentity(_required(subscriber_id, cells), None)
    try:
        email = clean(text)
    except UnclearAddressError as error:
        raise BadRowError(f"the email cannot be used: {error}") from None
    expected = fingerprint(email, identity_key)
    if subscriber_id not in (None, expected):
        raise BadRowError(
            "the id does not belong to the email: was it made with another identity key or by "
            "another system?"
        )
    return RowIdentity(expected, email)


def read_subscriber_id(cells: Mapping[str, str]) -> UUID | None:
    """Return the UUID in the column `id`, or None unless it is written as `export` writes it."""
    text = cells.get("id", "").strip().lower()
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def read_identities(cells: Cells, identity_key: str) -> RowIdentities:
    """Return everyone whom an unsubscribe may be about, or raise BadRowError.

    It is applied to every address in the cell, and to the id if that is another one.
    """
    emails = _emails(cells, identity_key)
    if not emails:
        only_id = {"id": cells.values.get("id", "")}
        return RowIdentities([read_identity(only_id, identity_key)], [], cleaned=False)
    # A sender may have minted links for the text as it is in the file.
    as_written = {fingerprint(cells.values["email"].strip(), identity_key)} - emails.keys()
    similar = {other for email in emails.values() for other in lookalikes(email)}
    aliases = as_written | {fingerprint(each, identity_key) for each in similar} - emails.keys()
    subscriber_id = read_subscriber_id(cells.values)
    if subscriber_id is not None and subscriber_id not in emails:
        cells.warnings.append("the id does not belong to the email: both are unsubscribed")
        aliases.add(subscriber_id)
    if len(emails) > 1:
        cells.warnings.append(f"the email has {len(emails)} addresses: each is unsubscribed")
    people = [RowIdentity(each, email) for each, email in emails.items()]
    return RowIdentities(people, sorted(aliases), bool(as_written))


def _emails(cells: Cells, identity_key: str) -> dict[UUID, str]:
    """Return the addresses in a row by subscriber id; none if only the id can be used."""
    text = cells.values.get("email", "").strip()
    if not text:
        return {}
    try:
        return {fingerprint(each, identity_key): each for each in split(text)}
    except UnclearAddressError as error:
        if read_subscriber_id(cells.values) is None:
            raise BadRowError(f"the email cannot be used: {error}") from None
        cells.warnings.append(f"the email cannot be used ({error}): only the id is unsubscribed")
        return {}


def _required(subscriber_id: UUID | None, cells: Mapping[str, str]) -> UUID:
    if subscriber_id is None:
        has_id = bool(cells.get("id", "").strip())
        why = "the id is not a subscriber id" if has_id else "neither an email nor an id"
        raise BadRowError(why)
    return subscriber_id
