"""Add each subscriber's links and headers to the rows of a CSV. Imports no database."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from preference_center.data.identity import BadRowError, RowIdentity, check_people, read_identity
from preference_center.data.tabular import FileRefusedError, RefusedRow, Row
from preference_center.links.minter import Minter

LINK_COLUMNS = (
    "unsubscribe_url",
    "preferences_url",
    "list_unsubscribe",
    "list_unsubscribe_post",
    "list_id",
    "event_token",
    "return_path",
)
ORIGINAL_ID = "original_id"  # The input's own column `id`, which may be another system's.

Merged = Mapping[str, str] | RefusedRow


def links_columns(given: list[str]) -> list[str]:
    """Return the output columns of `links`: the input's, the id, the input's own id, the links."""
    check_columns(given, LINK_COLUMNS)
    return list(dict.fromkeys((*given, "id", *original_id(given), *LINK_COLUMNS)))


def check_columns(given: list[str], ours: tuple[str, ...]) -> None:
    """Raise FileRefusedError if the input has no identity column, or one named like an output."""
    check_people(given)
    if taken := sorted(set(given) & {*ours, *original_id(given)}):
        raise FileRefusedError(f"a column is named {taken[0]}, which is ours: rename it")


def original_id(given: Iterable[str]) -> tuple[str, ...]:
    """Return the column that holds the input's own ids, if it has any."""
    return (ORIGINAL_ID,) if "id" in given else ()


def given_cells(row: Row) -> dict[str, str]:
    """Return a row's cells, with its own id also as `original_id`."""
    return {**row.cells, **({ORIGINAL_ID: row.cells["id"]} if "id" in row.cells else {})}


@dataclass(frozen=True)
class LinksFile:
    """The links of one campaign of one topic. `list_name` is the phrase of its List-Id header."""

    minter: Minter
    topic: str
    campaign: str
    day: date
    list_name: str = ""

    def links(self, rows: Iterable[Row | RefusedRow]) -> Iterator[Merged]:
        """Yield each row with its links."""
        for row in rows:
            identity = self.identify(row)
            if isinstance(row, Row) and isinstance(identity, RowIdentity):
                yield {**given_cells(row), **self.link_cells(identity.id)}
            elif isinstance(identity, RefusedRow):
                yield identity

    def identify(self, row: Row | RefusedRow) -> RowIdentity | RefusedRow:
        """Return which subscriber a row is about, or the row refused with the reason."""
        if isinstance(row, RefusedRow):
            return row
        try:
            identity = read_identity(row.cells, self.minter.identity_key)
        except BadRowError as error:
            return row.refused(str(error))
        return row.refused() if row.problems else identity

    def link_cells(self, subscriber_id: UUID) -> dict[str, str]:
        """Return the cells `id` and LINK_COLUMNS of one subscriber."""
        links = self.minter.mint(
            subscriber_id, self.topic, self.campaign, day=self.day, list_name=self.list_name
        )
        return {"id": str(links.id)} | {name: str(getattr(links, name)) for name in LINK_COLUMNS}
