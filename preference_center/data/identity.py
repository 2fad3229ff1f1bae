"""Find out which person a row is about, from its columns `email` and `id`. Uses no database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from preference_center.data.tabular import FileRefusedError, RefusedRow, Row
from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, clean

IDENTITY_COLUMNS = ("email", "id")


class BadRowError(ValueError):
    """A row cannot be used. The message says why, and quotes nothing of the row."""


@dataclass(frozen=True)
class RowIdentity:
    """The person whom a row is about. `email` is None if the row has only an id.

    `is_spelling` is True for the id of another spelling of the person's address.
    """

    id: UUID
    email: str | None
    is_spelling: bool = False


def require_identity(columns: Iterable[str]) -> None:
    """Raise FileRefusedError if no column says whom a row is about."""
    if not set(columns) & set(IDENTITY_COLUMNS):
        raise FileRefusedError(
            "no column is named email or id: the first line of the file must name the columns"
        )


def identify(row: Row | RefusedRow, identity_key: str) -> tuple[Row, RowIdentity] | RefusedRow:
    """Return a row with the person whom it is about, or as refused."""
    if isinstance(row, RefusedRow):
        return row
    try:
        identity = read_identity(row.cells, identity_key)
    except BadRowError as error:
        return row.refused(str(error))
    return row.refused() if row.problems else (row, identity)


def read_identity(cells: Mapping[str, str], identity_key: str) -> RowIdentity:
    """Return the identity in a row's cells, or raise BadRowError.

    An id that is not a subscriber id belongs to another system. It is ignored if there is an email.
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
    if not text:
        return None
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def _required(subscriber_id: UUID | None, cells: Mapping[str, str]) -> UUID:
    if subscriber_id is None:
        has_id = bool(cells.get("id", "").strip())
        why = "the id is not a subscriber id" if has_id else "neither an email nor an id"
        raise BadRowError(why)
    return subscriber_id
