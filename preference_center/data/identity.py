"""Which subscriber a row of a file is about. Imports no database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from preference_center.data.tabular import FileRefusedError
from preference_center.links.addresses import UnclearAddressError, clean, fingerprint

IDENTITY_COLUMNS = ("email", "id")


class BadRowError(ValueError):
    """A row cannot be used; the message says why, and holds nothing of the row."""


@dataclass(frozen=True)
class RowIdentity:
    """Who a row is about. `email` is None where only the id is known."""

    id: UUID
    email: str | None


def check_people(came_in: Iterable[str]) -> None:
    """Raise FileRefusedError where no column says whom a row is about."""
    if not set(came_in) & set(IDENTITY_COLUMNS):
        raise FileRefusedError(
            "there is no column named email, and none named id: "
            "the first line of the file must name the columns"
        )


def read_identity(cells: Mapping[str, str], identity_key: str) -> RowIdentity:
    """Return whose row it is, by the cells `email` or `id`; raise BadRowError.

    An id that is not a UUID is another system's: it is not looked at where there is an email.
    """
    email, given = cells.get("email", "").strip(), read_subscriber_id(cells)
    if not email:
        if given is None:
            foreign = cells.get("id", "").strip()
            raise BadRowError(
                "the id is not a subscriber id" if foreign else "neither an email nor an id"
            )
        return RowIdentity(given, None)
    try:
        email = clean(email)
    except UnclearAddressError as error:
        raise BadRowError(f"the email is not clear: {error}") from None
    found = fingerprint(email, identity_key)
    if given not in (None, found):
        raise BadRowError(
            "the id is not that of this email: was it made with another identity key, or is it "
            "another system's?"
        )
    return RowIdentity(found, email)


def read_subscriber_id(cells: Mapping[str, str]) -> UUID | None:
    """Return the UUID in the column `id`, in the one form that `export` writes, or None."""
    text = cells.get("id", "").strip().lower()
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
