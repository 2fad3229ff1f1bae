"""What a sender merges into a mailing: each identity's links, and whether they may be mailed now."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from preference_center.core import audience, topics
from preference_center.data.import_cells import BadRowError
from preference_center.data.import_records import RowIdentity, read_identity
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
ORIGINAL_ID = "original_id"  # a column `id` as it came: it may be another system's
BATCH_SIZE = 1000

Merged = Mapping[str, str] | RefusedRow
_Batch = list[tuple[Row | RefusedRow, RowIdentity | RefusedRow]]


def links_columns(came_in: list[str]) -> list[str]:
    """Return the columns of `links`: what came in, then the id, the id that came and the links."""
    _check(came_in, LINK_COLUMNS)
    return list(dict.fromkeys((*came_in, "id", *_original_id(came_in), *LINK_COLUMNS)))


def audience_columns(came_in: list[str]) -> list[str]:
    """Return the columns of `audience`: who, the verdict, the links, then what else came in."""
    ours = (*IDENTITY_COLUMNS, *VERDICT_COLUMNS, *LINK_COLUMNS)
    _check(came_in, (*VERDICT_COLUMNS, *LINK_COLUMNS))
    return list(dict.fromkeys((*ours, *_original_id(came_in), *came_in)))


def check_people(came_in: Iterable[str]) -> None:
    """Raise FileRefusedError where no column says whom a row is about."""
    if not set(came_in) & set(IDENTITY_COLUMNS):
        raise FileRefusedError(
            "there is no column named email, and none named id: "
            "the first line of the file must name the columns"
        )


@dataclass(frozen=True)
class CampaignFile:
    """One campaign of one topic. `list_name` is the phrase of its List-Id."""

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
        """Yield each row with its verdict and, where it is `allow`, its links.

        A identity is allowed once: each later row of theirs is `deny` with reason `duplicate`. A row
        that is refused does not count, so that the next one is allowed.

        Asked in batches, a statement each. If the database cannot be asked, UnavailableError
        ends it: whoever has no verdict is not mailed. With `claim`, each mail that is allowed
        counts towards the caps, and is committed before its row is yielded.
        """
        with closing(_Allowed()) as allowed:
            for people in self._batches(rows):
                verdicts = self._ask(people, database, clock, claim=claim)
                for row, identity in people:
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
        """Give back the claims of people who were not mailed; yield how many, batch by batch.

        Where a row has a verdict it counts only if that is `allow`.
        """
        for people in self._batches(filter(_may_be_claimed, rows)):
            yield from (identity for _, identity in people if isinstance(identity, RefusedRow))
            with database.transaction() as session:
                topic = topics.get(session, self.topic)
                ids = _asked(people)
                yield audience.release(session, topic, self.campaign, ids, clock())

    def _ask(
        self, people: _Batch, database: Database, clock: Callable[[], datetime], *, claim: bool
    ) -> dict[UUID, audience.Verdict]:
        identities = [each for _, each in people if isinstance(each, RowIdentity)]
        usable = {each.id for each in identities if _is_usable(each)} if claim else set()
        asked = _asked(people)
        return audience.ask(database, self.topic, self.campaign, asked, clock, claimable=usable)

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
                return row.refused("not an email address that email can be sent to")
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
    """The people whom a request has allowed so far, in a file that is deleted when it is closed.

    SQLite keeps a database without a name in a temporary file, and some of it in memory.
    """

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
        self._database.close()


def _may_be_claimed(row: Row | RefusedRow) -> bool:
    return isinstance(row, RefusedRow) or fold_letters(row.cells.get("verdict", "allow")) == "allow"


def _is_usable(identity: RowIdentity) -> bool:
    """Return False where a row names an address that email cannot be sent to."""
    return identity.email is None or is_mailable(identity.email)


def _asked(people: _Batch) -> dict[UUID, str]:
    """Return each identity of a batch once, with the address where one of their rows has it."""
    asked: dict[UUID, str] = {}
    for _, identity in people:
        if isinstance(identity, RowIdentity):
            asked[identity.id] = asked.get(identity.id) or identity.email or ""
    return asked


def _cells(row: Row) -> dict[str, str]:
    """Return the cells that came in, with the id that came under another name."""
    return {**row.cells, **({ORIGINAL_ID: row.cells["id"]} if "id" in row.cells else {})}


def _original_id(came_in: Iterable[str]) -> tuple[str, ...]:
    return (ORIGINAL_ID,) if "id" in came_in else ()


def _link_cells(links: Links) -> dict[str, str]:
    cells = {column: str(getattr(links, column)) for column in LINK_COLUMNS}
    return {"id": str(links.id), **cells}


def _check(came_in: list[str], ours: tuple[str, ...]) -> None:
    check_people(came_in)
    if taken := sorted(set(came_in) & {*ours, *_original_id(came_in)}):
        raise FileRefusedError(f"a column is named {taken[0]}, which is ours: rename it")
