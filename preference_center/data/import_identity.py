"""Find everyone whom an imported unsubscribe is about."""

from dataclasses import dataclass
from uuid import UUID

from preference_center.data.identity import (
    BadRowError,
    RowIdentity,
    read_identity,
    read_subscriber_id,
)
from preference_center.data.import_cells import Cells
from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, lookalikes, split


@dataclass(frozen=True)
class RowIdentities:
    """The people whom an unsubscribe is about.

    `aliases` are other subscriber ids under which the same people may be on record. `cleaned` is
    True if the email had to be cleaned.
    """

    people: list[RowIdentity]
    aliases: list[RowIdentity]
    cleaned: bool


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
    spellings = as_written | {fingerprint(each, identity_key) for each in similar} - emails.keys()
    aliases = [RowIdentity(each, None, is_spelling=True) for each in sorted(spellings)]
    subscriber_id = read_subscriber_id(cells.values)
    if subscriber_id is not None and subscriber_id not in emails:
        cells.warnings.append("the id does not belong to the email: both are unsubscribed")
        if subscriber_id not in spellings:
            aliases.append(RowIdentity(subscriber_id, None))
    if len(emails) > 1:
        cells.warnings.append(f"the email has {len(emails)} addresses: each is unsubscribed")
    people = [RowIdentity(each, email) for each, email in emails.items()]
    return RowIdentities(people, aliases, bool(as_written))


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
