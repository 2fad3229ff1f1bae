"""Add to each row of a mailing's recipients its links, and whether they may be emailed now."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from preference_center.core import audience, fetches, processes, topics
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
from preference_center.data.tabular import RefusedRow, Row, batches, fold_letters
from preference_center.links.addresses import is_mailable
from preference_center.store import Database

VERDICT_COLUMNS = ("verdict", "reason", "until")
BATCH_SIZE = 1000

_Batch = list[tuple[Row | RefusedRow, RowIdentity | RefusedRow]]


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
    ) -> Iterator[Merged]:
        """Yield each row with its verdict and, if that is `allow`, its links.

        A subscriber is allowed once. Later rows about the same subscriber are `deny` with reason
        `duplicate`. A refused row does not count as the first.

        With `claim`, each allowed email counts towards frequency caps; its claim is committed
        before the row is yielded.

        Raises:
            UnknownTopicError: there is no such topic.
            UnavailableError: the database cannot be used, or unsubscribes may wait in a spool. Do
                not email rows without a verdict.
        """
        began_at, asked = clock(), False
        processes.wait_until_empty(database)
        with closing(_Allowed()) as allowed:
            for batch in self._batches(rows):
                verdicts = self._ask(batch, database, clock, claim=claim)
                for row, identity in batch:
                    if isinstance(identity, RefusedRow):
                        yield identity
                    elif isinstance(row, Row):
                        yield self._merged(row, identity, verdicts[identity.id], allowed)
                asked = asked or bool(verdicts)
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
            yield from (identity for _, identity in batch if isinstance(identity, RefusedRow))
            with database.transaction() as session:
                topic = topics.get(session, self.topic)
                ids = _emails_by_id(batch)
                yield audience.release(session, topic, self.campaign, ids, clock())

    def _ask(
        self, batch: _Batch, database: Database, clock: Callable[[], datetime], *, claim: bool
    ) -> dict[UUID, Verdict]:
        identities = [each for _, each in batch if isinstance(each, RowIdentity)]
        usable = {each.id for each in identities if _is_usable(each)} if claim else set()
        people = _emails_by_id(batch)
        return audience.ask(database, self.topic, self.campaign, people, clock, claimable=usable)

    def _batches(self, rows: Iterable[Row | RefusedRow]) -> Iterator[_Batch]:
        for batch in batches(rows, BATCH_SIZE):
            yield [(row, self.identify(row)) for row in batch]

    def _merged(
        self, row: Row, identity: RowIdentity, verdict: Verdict, allowed: "_Allowed"
    ) -> Merged:
        if verdict.allows and identity.id in allowed:
            verdict = Verdict(Decision.DENY, DecisionReason.DUPLICATE, email=verdict.email)
        links = {}
        if verdict.allows:
            if not _is_usable(identity):
                return row.refused("email cannot be sent to this address")
            allowed.add(identity.id)
            links = self.link_cells(identity.id)
        return {
            **dict.fromkeys(LINK_COLUMNS, ""),
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
    if isinstance(row, RefusedRow):
        return True
    return fold_letters(row.cells.get("verdict", Decision.ALLOW)) == Decision.ALLOW


def _is_usable(identity: RowIdentity) -> bool:
    """Return False if the row has an address that email cannot be sent to."""
    return identity.email is None or is_mailable(identity.email)


def _emails_by_id(batch: _Batch) -> dict[UUID, str]:
    """Return the address of each subscriber in a batch, or "" if no row has the address."""
    emails: dict[UUID, str] = {}
    for _, identity in batch:
        if isinstance(identity, RowIdentity):
            emails[identity.id] = emails.get(identity.id) or identity.email or ""
    return emails
