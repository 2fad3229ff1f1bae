"""Add to each row of a mailing's recipients its links, and whether they may be emailed now."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeGuard
from uuid import UUID

from preference_center.core import audience, fetches, topics
from preference_center.core import processes as serving
from preference_center.core.audience import Verdict
from preference_center.core.vocab import Decision, DecisionReason, FetchKind
from preference_center.data.identity import IDENTITY_COLUMNS, RowIdentity
from preference_center.data.links_csv import (
    LINK_COLUMNS,
    LinksFile,
    Merged,
    check_columns,
    input_cells,
    original_id,
)
from preference_center.data.spreading import spread
from preference_center.data.tabular import RefusedRow, Row, batches, fold_letters
from preference_center.links.addresses import is_mailable
from preference_center.store import Database

VERDICT_COLUMNS = ("verdict", "reason", "until")
_NO_LINKS = dict.fromkeys(LINK_COLUMNS, "")
_DUPLICATE = {"verdict": Decision.DENY, "reason": DecisionReason.DUPLICATE}
BATCH_SIZE = 1000

_Batch = list[tuple[Row, RowIdentity] | RefusedRow]


def audience_columns(columns: list[str]) -> list[str]:
    """Return the output columns of `audience`: identity, verdict, links, and the input's own."""
    check_columns(columns, (*VERDICT_COLUMNS, *LINK_COLUMNS))
    own = (*IDENTITY_COLUMNS, *VERDICT_COLUMNS, *LINK_COLUMNS)
    return list(dict.fromkeys((*own, *original_id(columns), *columns)))


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
        processes: int = 1,
    ) -> Iterator[Merged]:
        """Yield each row with its verdict and, if that is `allow`, its links.

        A subscriber is allowed once. Later rows about the same subscriber are `deny` with reason
        `duplicate`. A refused row does not count as the first.

        With `claim`, each allowed email counts towards frequency caps; its claim is committed
        before the row is yielded. `processes` do the work; see `spreading.spread`.

        Raises:
            UnknownTopicError: there is no such topic.
            UnavailableError: the database cannot be used, or unsubscribes may wait in a spool. Do
                not email rows without a verdict.
        """
        began_at, asked = clock(), False
        serving.wait_until_empty(database)
        work = partial(self._merged_batch, database=database, clock=clock, claim=claim)
        with closing(_Allowed()) as allowed:
            for batch, merged in spread(database, work, self._batches(rows), _ids, processes):
                yield from _once(merged, allowed)
                asked = asked or bool(_ids(batch))
        if asked:
            with database.transaction() as session:
                fetches.record(session, FetchKind.AUDIENCE, self.topic, began_at)

    def release(
        self,
        rows: Iterable[Row | RefusedRow],
        database: Database,
        clock: Callable[[], datetime],
    ) -> Iterator[int | RefusedRow]:
        """Release the claims of recipients who were not emailed; yield the number of each batch.

        Refused rows are yielded too. A row whose verdict is not `allow` is skipped.
        """
        for batch in self._batches(filter(_may_be_claimed, rows)):
            yield from (each for each in batch if isinstance(each, RefusedRow))
            with database.transaction() as session:
                topic = topics.get(session, self.topic)
                ids = _emails_by_id(batch)
                yield audience.release(session, topic, self.campaign, ids, clock())

    def _merged_batch(
        self, batch: _Batch, *, database: Database, clock: Callable[[], datetime], claim: bool
    ) -> list[Merged]:
        """Return each row with its verdict, as if it were the only one about its person."""
        usable = {each.id for each in _identities(batch) if _is_usable(each)} if claim else set()
        people = _emails_by_id(batch)
        verdicts = audience.ask(
            database, self.topic, self.campaign, people, clock, claimable=usable
        )
        return [
            each if isinstance(each, RefusedRow) else self._merged(*each, verdicts[each[1].id])
            for each in batch
        ]

    def _batches(self, rows: Iterable[Row | RefusedRow]) -> Iterator[_Batch]:
        for batch in batches(rows, BATCH_SIZE):
            yield [self.identified(row) for row in batch]

    def _merged(self, row: Row, identity: RowIdentity, verdict: Verdict) -> Merged:
        links = {}
        if verdict.allows:
            if not _is_usable(identity):
                return row.refused("email cannot be sent to this address")
            links = self.link_cells(identity.id)
        return {
            **_NO_LINKS,
            **input_cells(row),
            "email": identity.email or verdict.email,
            "id": str(identity.id),
            "verdict": verdict.decision,
            "reason": verdict.reason or "",
            "until": verdict.until.isoformat() if verdict.until is not None else "",
            **links,
        }


class _Allowed:
    """The subscriber ids that a request has allowed so far, in a temporary file of SQLite."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE allowed (id TEXT PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def among(self, ids: Sequence[str]) -> set[str]:
        """Return those of `ids` that were added."""
        marks = ", ".join("?" * len(ids))
        query = f"SELECT id FROM allowed WHERE id IN ({marks})"  # noqa: S608 (question marks only)
        return {found for (found,) in self._database.execute(query, ids)}

    def add(self, ids: Iterable[str]) -> None:
        """Add ids that were not added before."""
        self._database.executemany("INSERT INTO allowed VALUES (?)", ((each,) for each in ids))

    def close(self) -> None:
        """Close and delete the file."""
        self._database.close()


def _once(rows: Sequence[Merged], allowed: _Allowed) -> Iterator[Merged]:
    """Yield each row, with another verdict if an earlier row about the same person is allowed."""
    asked = [each["id"] for each in rows if _is_allowed(each)]
    known, new = allowed.among(asked), set[str]()
    for row in rows:
        if not _is_allowed(row):
            yield row
        elif row["id"] in known or row["id"] in new:
            yield {**row, **_NO_LINKS, **_DUPLICATE}
        else:
            new.add(row["id"])
            yield row
    allowed.add(new)


def _is_allowed(row: Merged) -> TypeGuard[Mapping[str, str]]:
    return not isinstance(row, RefusedRow) and row["verdict"] == Decision.ALLOW


def _may_be_claimed(row: Row | RefusedRow) -> bool:
    if isinstance(row, RefusedRow):
        return True
    return fold_letters(row.cells.get("verdict", Decision.ALLOW)) == Decision.ALLOW


def _is_usable(identity: RowIdentity) -> bool:
    """Return False if the row has an address that email cannot be sent to."""
    return identity.email is None or is_mailable(identity.email)


def _identities(batch: _Batch) -> list[RowIdentity]:
    return [each[1] for each in batch if not isinstance(each, RefusedRow)]


def _ids(batch: _Batch) -> set[UUID]:
    return {each.id for each in _identities(batch)}


def _emails_by_id(batch: _Batch) -> dict[UUID, str]:
    """Return the address of each subscriber in a batch, or "" if no row has the address."""
    emails: dict[UUID, str] = {}
    for each in _identities(batch):
        emails[each.id] = emails.get(each.id) or each.email or ""
    return emails
