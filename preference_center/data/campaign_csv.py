"""Add to each row of a mailing's recipients its links, and whether they may be emailed now."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from uuid import UUID

from preference_center.core import audience, fetches, topics
from preference_center.core import processes as serving
from preference_center.core.audience import Verdict
from preference_center.core.vocab import Decision, FetchKind
from preference_center.data.duplicates import AllowedIds, Answer, once
from preference_center.data.identity import IDENTITY_COLUMNS, RowIdentity, identify
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
from preference_center.links.minter import Minter
from preference_center.store import Database

VERDICT_COLUMNS = ("verdict", "reason", "until")
_NO_LINKS = dict.fromkeys(LINK_COLUMNS, "")
BATCH_SIZE = 1000

_Batch = list[tuple[Row, RowIdentity] | RefusedRow]


def audience_columns(columns: list[str]) -> list[str]:
    """Return the output columns of `audience`: identity, verdict, links, and the input's own."""
    check_columns(columns, (*VERDICT_COLUMNS, *LINK_COLUMNS))
    own = (*IDENTITY_COLUMNS, *VERDICT_COLUMNS, *LINK_COLUMNS)
    return list(dict.fromkeys((*own, *original_id(columns), *columns)))


def merged(row: Row, answer: Answer) -> Merged:
    """Return the cells of a row of the output of `audience`."""
    return {**_NO_LINKS, **input_cells(row), **answer}


@dataclass(frozen=True)
class CampaignFile(LinksFile):
    """The audience check and the links of one campaign of one topic."""

    @classmethod
    def opened(
        cls, database: Database, minter: Minter, topic: str, campaign: str, day: date
    ) -> "CampaignFile":
        """Return the check of a topic on record, or raise UnknownTopicError."""
        with database.reading() as session:
            name = topics.name(topics.get(session, topic), topics.DEFAULT_LOCALE)
        return cls(minter, topic, campaign, day, name)

    def verdicts(
        self,
        rows: Iterable[Row | RefusedRow],
        database: Database,
        clock: Callable[[], datetime],
        *,
        claim: bool = False,
        processes: int = 1,
    ) -> Iterator[Merged]:
        """Yield each row with its verdict and, if that is `allow`, its links; see `answers`."""
        found = self.answers(rows, database, clock, claim=claim, processes=processes)
        for each in found:
            yield each if isinstance(each, RefusedRow) else merged(*each)

    def answers(
        self,
        rows: Iterable[Row | RefusedRow],
        database: Database,
        clock: Callable[[], datetime],
        *,
        claim: bool = False,
        processes: int = 1,
        is_test: bool = False,
    ) -> Iterator[tuple[Row, Answer] | RefusedRow]:
        """Yield each row and its verdict and, if that is `allow`, its links.

        A subscriber is allowed once. Later rows about the same subscriber are `deny` with reason
        `duplicate`. A refused row does not count as the first.

        With `claim`, each allowed email counts towards frequency caps; its claim is committed
        before the row is yielded. `processes` do the work; see `spreading.spread`. What is asked in
        a test does not count as fetched.

        Raises:
            UnknownTopicError: there is no such topic.
            UnavailableError: the database cannot be used, or unsubscribes may wait in a spool. Do
                not email rows without a verdict.
        """
        began_at, asked = clock(), False
        serving.wait_until_empty(database)
        work = partial(self._answered, database=database, clock=clock, claim=claim)
        with closing(AllowedIds()) as allowed:
            for batch, found in spread(database, work, self._batches(rows), _ids, processes):
                yield from _with_rows(batch, once(found, allowed))
                asked = asked or bool(_ids(batch))
        if asked and not is_test:
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

    def _answered(
        self, batch: _Batch, *, database: Database, clock: Callable[[], datetime], claim: bool
    ) -> list[Answer | RefusedRow]:
        """Return the answer to each row, as if it were the only one about its person."""
        usable = {each.id for each in _identities(batch) if _is_usable(each)} if claim else set()
        people = _emails_by_id(batch)
        verdicts = audience.ask(
            database, self.topic, self.campaign, people, clock, claimable=usable
        )
        return [
            each if isinstance(each, RefusedRow) else self._answer(*each, verdicts[each[1].id])
            for each in batch
        ]

    def _batches(self, rows: Iterable[Row | RefusedRow]) -> Iterator[_Batch]:
        return _identified(rows, self.minter.identity_key)

    def _answer(self, row: Row, identity: RowIdentity, verdict: Verdict) -> Answer | RefusedRow:
        found = _answer(row, identity, verdict)
        if verdict.allows and not isinstance(found, RefusedRow):
            return {**found, **self.link_cells(identity.id)}
        return found


def transactional(
    rows: Iterable[Row | RefusedRow], database: Database, identity_key: str
) -> Iterator[tuple[Row, Answer] | RefusedRow]:
    """Yield each row and whether an email may be sent that the person needs, like a receipt.

    See `audience.check_transactional`. Every row about a person has the same verdict.

    Raises:
        UnavailableError: the database cannot be used, or unsubscribes may wait in a spool. Do not
            email rows without a verdict.
    """
    serving.wait_until_empty(database)
    for batch in _identified(rows, identity_key):
        with database.reading() as session:
            verdicts = audience.check_transactional(session, _ids(batch))
        found = (
            each if isinstance(each, RefusedRow) else _answer(*each, verdicts[each[1].id])
            for each in batch
        )
        yield from _with_rows(batch, found)


def _identified(rows: Iterable[Row | RefusedRow], identity_key: str) -> Iterator[_Batch]:
    for batch in batches(rows, BATCH_SIZE):
        yield [identify(row, identity_key) for row in batch]


def _with_rows(
    batch: _Batch, found: Iterable[Answer | RefusedRow]
) -> Iterator[tuple[Row, Answer] | RefusedRow]:
    for asked, answer in zip(batch, found, strict=True):
        if isinstance(answer, RefusedRow):
            yield answer
        elif not isinstance(asked, RefusedRow):  # Otherwise, it is the answer.
            yield asked[0], answer


def _answer(row: Row, identity: RowIdentity, verdict: Verdict) -> Answer | RefusedRow:
    if verdict.allows and not _is_usable(identity):
        return row.refused("email cannot be sent to this address")
    return {
        "email": identity.email or verdict.email,
        "id": str(identity.id),
        "verdict": verdict.decision,
        "reason": verdict.reason or "",
        "until": verdict.until.isoformat() if verdict.until is not None else "",
    }


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
