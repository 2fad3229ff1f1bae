"""Add to each row of a CSV whether the subscriber may be emailed now, and if so the links."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from preference_center.core import audience, topics
from preference_center.data.identity import IDENTITY_COLUMNS, RowIdentity
from preference_center.data.links_csv import (
    LINK_COLUMNS,
    LinksFile,
    Merged,
    check_columns,
    given_cells,
    original_id,
)
from preference_center.data.tabular import RefusedRow, Row, batches, fold_letters
from preference_center.links.addresses import is_mailable
from preference_center.store import Database

VERDICT_COLUMNS = ("verdict", "reason", "until")
BATCH_SIZE = 1000

_Batch = list[tuple[Row | RefusedRow, RowIdentity | RefusedRow]]


def audience_columns(given: list[str]) -> list[str]:
    """Return the columns of `audience`: who, the verdict, the links, then what else came in."""
    ours = (*IDENTITY_COLUMNS, *VERDICT_COLUMNS, *LINK_COLUMNS)
    check_columns(given, (*VERDICT_COLUMNS, *LINK_COLUMNS))
    return list(dict.fromkeys((*ours, *original_id(given), *given)))


@dataclass(frozen=True)
class CampaignFile(LinksFile):
    """The audience check and the links of one campaign of one topic."""

    def verdicts(
        self,
        rows: Iterable[Row | RefusedRow],
        database: Database,
        clock: Callable[[], datetime],
        *,
        claim: bool = False,
    ) -> Iterator[Merged]:
        """Yield each row with its verdict and, where it is `allow`, its links.

        A subscriber is allowed once: each of their later rows is `deny` with reason `duplicate`.
        A refused row does not count, so the next one is allowed.

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
            yield [(row, self.identify(row)) for row in batch]

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
            links = self.link_cells(identity.id)
        return {
            **dict.fromkeys(LINK_COLUMNS, ""),
            **given_cells(row),
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
