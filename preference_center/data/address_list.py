"""A sender's own list of addresses, to name subscribers who are on record only by id."""

import sqlite3
from collections.abc import Callable, Collection, Iterable

from preference_center.data.tabular import RefusedRow, Row, batches
from preference_center.links.addresses import fingerprint
from preference_center.links.cleaning import UnclearAddressError, split

BATCH_SIZE = 1000  # rows

_OnRefused = Callable[[RefusedRow], None]


class AddressList:
    """The addresses of a list by subscriber id, in a temporary file of SQLite."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE list (id TEXT PRIMARY KEY, email TEXT) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(
        self, rows: Iterable[Row | RefusedRow], identity_key: str, on_refused: _OnRefused
    ) -> None:
        """Add the addresses in the column `email`. Of those with the same id, the first counts.

        A link may have been made from the text as it is in the list, so an address is also found
        by the id of that text.
        """
        for batch in batches(rows, BATCH_SIZE):
            pairs: list[tuple[str, str]] = []
            for row in batch:
                found = _pairs(row, identity_key)
                if isinstance(found, RefusedRow):
                    on_refused(found)
                else:
                    pairs += found
            self._database.executemany("INSERT OR IGNORE INTO list VALUES (?, ?)", pairs)

    def among(self, ids: Collection[str]) -> dict[str, str]:
        """Return the address of each of `ids` that the list has."""
        marks = ", ".join("?" * len(ids))
        query = f"SELECT id, email FROM list WHERE id IN ({marks})"  # noqa: S608 (marks only)
        return dict(self._database.execute(query, tuple(ids)))

    def close(self) -> None:
        """Close and delete the file."""
        self._database.close()


def _pairs(row: Row | RefusedRow, identity_key: str) -> list[tuple[str, str]] | RefusedRow:
    """Return the ids and the addresses of a row, or the row as refused."""
    if isinstance(row, RefusedRow):
        return row
    text = row.cells["email"].strip()
    try:
        emails = split(text)
    except UnclearAddressError as error:
        return row.refused(f"the email cannot be used: {error}")
    ids = [(fingerprint(email, identity_key), email) for email in emails]
    if len(emails) == 1 and text != emails[0]:
        ids.append((fingerprint(text, identity_key), emails[0]))
    return [(str(each), email) for each, email in ids]
