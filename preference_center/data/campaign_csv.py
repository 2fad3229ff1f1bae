"""Add to each row of a mailing's recipients its links, and whether they may be emailed now."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from preference_center.core import audience, topics
from preference_center.data.import_cells import BadRowError
from preference_center.data.import_identity import RowIdentity, read_identity
from preference_center.data.tabular import FileRefusedError, RefusedRow, Row, batches, fold_letters
from preference_center.links.addresses import is_mailable
from preference_center.links.minter import Links, Minter
from preference_center.store import Database

LINK_COLUMNS = (
    "unsubscribe_url",
    "preferences_url",
    "list_unsubscribe",
    "list_unsubscribe_post",
    "list_id",
    "event_token",
    "return_path",
)
VERDICT_COLUMNS = ("verdict", "reason", "until")
IDENTITY_COLUMNS = ("email", "id")
ORIGINAL_ID = "original_id"  # The input's column `id`, which may be another system's.
BATCH_SIZE = 1000

Merged = Mapping[str, str] | RefusedRow
_Batch = list[tuple[Row | RefusedRow, RowIdentity | RefusedRow]]


def links_columns(columns: list[str]) -> list[str]:
    """Return the output columns of `links`: the input's columns, the ids and the links."""
    _check(columns, LINK_COLUMNS)
    return list(dict.fromkeys((*columns, "id", *_original_id(columns), *LINK_COLUMNS)))


def audience_columns(columns: list[str]) -> list[str]:
    """Return the output columns of `audience`: identity, verdict, links, the input's."""
    _check(columns, (*VERDICT_COLUMNS, *LINK_COLUMNS))
    own = (*IDENTITY_COLUMNS, *VERDICT_COLUMNS, *LINK_COLUMNS)
    return list(dict.fromkeys((*own, *_original_id(columns), *columns)))


def require_identity(columns: Iterable[str]) -> None:
    """Raise FileRefusedError if no column says who a row is about."""
    if not set(columns) & set(IDENTITY_COLUMNS):
        raise FileRefusedError(
            "no column is named email or id: the first line of the file must name the columns"
        )


@dataclass(frozen=True)
class CampaignFile:
    """The recipients of one campaign of one topic. `list_name` is the phrase of its List-Id."""

    minter: Minter
    topic: str
    campaign: str
    day: date
    list_name: str = ""

    def links(self, rows: Iterable[Row | RefusedRow]) -> Iterator[Merged]:
        """Yield each row with its links."""
        for row in rows:
            identity = self._identity(row)
            if isinstance(row, Row) and isinstance(identity, RowIdentity):
                yield {**_cells(row), **_link_cells(self._mint(identity.id))}
            elif isinstance(identity, RefusedRow):
                yield identity

    def verdicts(
        self,
        rows: Iterable[Row | RefusedRow],
        database: Database,
        clock: Callable[[], datetime],
        *,
        claim: bool = False,
    ) -> Iterator[Merged]:
        """Yield each row with its verdict and, if that is `allow`, its links.

        A person is allowed once; later rows about them are `deny` with reason `duplicate`. A row
        that is refused does not count for this.

        With `claim`, each allowed email counts towards frequency caps; its claim is committed
        before the row is yielded.

        Raises:
            UnknownTopicError: there is no such topic.
            UnavailableError: the database cannot be used. Do not email rows without a verdict.
        """
        with closing(_Allowed()) as allowed:
            for batch in self._batches(rows):
                verdicts = self._ask(batch, database, clock, claim=claim)
                for row, identity in batch:
                    if isinstance(identity, RefusedRow):
                        yield identity
                    elif isinstance(row, Row):
                        yield self._merged(row, identity, verdicts[identity.id], allowed)

    def release(
        self,
        rows: Iterable[Row | RefusedRow],
        database: Database,
        clock: Callable[[], datetime],
    ) -> Iterator[int | RefusedRow]:
        """Release the claims of people who were not emailed; yield how many, by batch.

        A row whose verdict is not `allow` is skipped.
        """
        for batch in self._batches(filter(_may_be_claimed, rows)):
            yield from (identity for _, identity in batch if isinstance(identity, RefusedRow))
            with database.transaction() as session:
                topic = topics.get(session, self.topic)
                ids = _emails_by_id(batch)
                yield audience.release(session, topic, self.campaign, ids, clock())

    def _ask(
        self, batch: _Batch, database: Database, clock: Callable[[], datetime], *, claim: bool
    ) -> dict[UUID, audience.Verdict]:
        identities = [each for _, each in batch if isinstance(each, RowIdentity)]
        usable = {each.id for each in identities if _is_usable(each)} if claim else set()
        people = _emails_by_id(batch)
        return audience.ask(database, self.topic, self.campaign, people, clock, claimable=usable)

    def _batches(self, rows: Iterable[Row | RefusedRow]) -> Iterator[_Batch]:
        for batch in batches(rows, BATCH_SIZE):
            yield [(row, self._identity(row)) for row in batch]

    def _identity(self, row: Row | RefusedRow) -> RowIdentity | RefusedRow:
        if isinstance(row, RefusedRow):
            return row
        try:
            identity = read_identity(row.cells, self.minter.identity_key)
        except BadRowError as error:
            return row.refused(str(error))
        return row.refused() if row.problems else identity

    def _mint(self, subscriber_id: UUID) -> Links:
        return self.minter.mint(
            subscriber_id, self.topic, self.campaign, day=self.day, list_name=self.list_name
        )

    def _merged(
        self, row: Row, identity: RowIdentity, verdict: audience.Verdict, allowed: "_Allowed"
    ) -> Merged:
        if verdict.verdict == "allow" and identity.id in allowed:
            verdict = audience.Verdict("deny", "duplicate", email=verdict.email)
        links = {}
        if verdict.verdict == "allow":
            if not _is_usable(identity):
                return row.refused("email cannot be sent to this address")
            allowed.add(identity.id)
            links = _link_cells(self._mint(identity.id))
        return {
            **dict.fromkeys(LINK_COLUMNS, ""),
            **_cells(row),
            "email": identity.email or verdict.email,
            "id": str(identity.id),
            "verdict": verdict.verdict,
            "reason": verdict.reason,
            "until": verdict.until.isoformat() if verdict.until is not None else "",
            **links,
        }


class _Allowed:
    """The subscriber ids that a request has allowed so far, in a temporary file of SQLite."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE allowed (id BLOB PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def __contains__(self, subscriber_id: UUID) -> bool:
        query = "SELECT 1 FROM allowed WHERE id = ?"
        return self._database.execute(query, (subscriber_id.bytes,)).fetchone() is not None

    def add(self, subscriber_id: UUID) -> None:
        self._database.execute("INSERT INTO allowed VALUES (?)", (subscriber_id.bytes,))

    def close(self) -> None:
        """Close and delete the file."""
        self._database.close()


def _may_be_claimed(row: Row | RefusedRow) -> bool:
    return isinstance(row, RefusedRow) or fold_letters(row.cells.get("verdict", "allow")) == "allow"


def _is_usable(identity: RowIdentity) -> bool:
    """Return False if the row has an address that email cannot be sent to."""
    return identity.email is None or is_mailable(identity.email)


def _emails_by_id(batch: _Batch) -> dict[UUID, str]:
    """Return the people of a batch with their addresses, or "" if no row has the address."""
    emails: dict[UUID, str] = {}
    for _, identity in batch:
        if isinstance(identity, RowIdentity):
            emails[identity.id] = emails.get(identity.id) or identity.email or ""
    return emails


def _cells(row: Row) -> dict[str, str]:
    """Return the cells of a row, with its id under another name too."""
    return {**row.cells, **({ORIGINAL_ID: row.cells["id"]} if "id" in row.cells else {})}


def _original_id(columns: Iterable[str]) -> tuple[str, ...]:
    return (ORIGINAL_ID,) if "id" in columns else ()


def _link_cells(links: Links) -> dict[str, str]:
    cells = {column: str(getattr(links, column)) for column in LINK_COLUMNS}
    return {"id": str(links.id), **cells}


def _check(columns: list[str], added: tuple[str, ...]) -> None:
    """Raise FileRefusedError if a row has no identity, or if the input has an added column."""
    require_identity(columns)
    if taken := sorted(set(columns) & {*added, *_original_id(columns)}):
        raise FileRefusedError(f"the column {taken[0]} would be overwritten: rename it")
