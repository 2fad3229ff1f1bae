"""Add each recipient's links and headers to the rows of a CSV. Uses no database."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO
from uuid import UUID

from preference_center.data.identity import IDENTITY_COLUMNS, identify, require_identity
from preference_center.data.import_columns import match
from preference_center.data.tabular import CsvFile, FileRefusedError, RefusedRow, Row, read_csv
from preference_center.links.minter import Minter

LINK_COLUMNS = (
    "unsubscribe_url",
    "preferences_url",
    "list_unsubscribe",
    "list_unsubscribe_post",
    "list_id",
    "feedback_id",
    "event_token",
    "return_path",
)
ORIGINAL_ID = "original_id"  # The input's own column `id`, which may be another system's.

Merged = Mapping[str, str] | RefusedRow


def read_people(file: BinaryIO) -> CsvFile:
    """Return the rows of a CSV, with its identity columns renamed to `email` and `id`."""
    rows = read_csv(file)
    found = match(tuple(rows.columns), columns=IDENTITY_COLUMNS).read
    rows.rename({theirs: ours for ours, theirs in found.items()})
    rows.refuse_repeated(IDENTITY_COLUMNS)
    return rows


def links_columns(columns: list[str]) -> list[str]:
    """Return the output columns of `links`: the input's columns, the ids and the links."""
    check_columns(columns, LINK_COLUMNS)
    return list(dict.fromkeys((*columns, "id", *original_id(columns), *LINK_COLUMNS)))


def check_columns(columns: list[str], added: tuple[str, ...]) -> None:
    """Raise FileRefusedError if the input has no identity column, or has one that is added."""
    require_identity(columns)
    if taken := sorted(set(columns) & {*added, *original_id(columns)}):
        raise FileRefusedError(f"the column {taken[0]} would be overwritten: rename it")


def original_id(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the added column for the input's own ids, if it has any."""
    return (ORIGINAL_ID,) if "id" in columns else ()


def input_cells(row: Row) -> dict[str, str]:
    """Return the cells of a row, with its own id also as `original_id`."""
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
            match identify(row, self.minter.identity_key):
                case RefusedRow() as refused:
                    yield refused
                case usable, identity:
                    yield {**input_cells(usable), **self.link_cells(identity.id)}

    def link_cells(self, subscriber_id: UUID) -> dict[str, str]:
        """Return the cells `id` and LINK_COLUMNS of one subscriber."""
        links = self.minter.mint(
            subscriber_id, self.topic, self.campaign, day=self.day, list_name=self.list_name
        )
        return {**links._asdict(), "id": str(links.id)}
