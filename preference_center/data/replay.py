"""Re-apply the unsubscribes and erasures that a restored backup has lost.

The input is exports of the ledger that were kept elsewhere. A replay ends consent and erases; it
never starts or restores consent, and it leaves alone what a later row of the same subscriber and
scope, or a newer choice on record, has started again. Where the order of two rows is in doubt, it
ends consent.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import (
    apply,
    consent,
    domain_hold,
    erasure,
    ledger,
    snapshots,
    topics,
)
from preference_center.core.change import ADDRESS, ALL, ChangeContext, Target
from preference_center.core.vocab import Source
from preference_center.data.replay_records import Entry, read
from preference_center.data.tabular import RefusedRow, Row
from preference_center.store import Database
from preference_center.store.tables import Subscriber

BATCH_SIZE = 1000


class Newest:
    """The newest entry of each subscriber and scope, in a temporary file: files may be long.

    There are two: the newest by number, and the newest by time. They differ where the clocks of
    two hosts do, and where the file holds rows from before and after an earlier restore.

    A third is the newest of the rows that weigh most and of those that end nothing. After an
    earlier restore, a lighter unsubscribe may have followed a complaint that was lost by then.
    """

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)  # a temporary file of SQLite's
        self._file.execute(
            "CREATE TABLE newest (id BLOB, target TEXT, erases INTEGER, by TEXT, rank TEXT, "
            "ends INTEGER, source TEXT, campaign TEXT, occurred_at TEXT, hash BLOB, "
            "PRIMARY KEY (id, target, erases, by)) WITHOUT ROWID"
        )
        self._file.execute(
            "CREATE VIEW ending AS SELECT DISTINCT id, target, erases, source, campaign, "
            "occurred_at, hash FROM newest WHERE ends"
        )
        self._file.execute("BEGIN")

    def add(self, entry: Entry) -> None:
        """Keep an entry unless a newer one is known."""
        at = entry.recorded_at.isoformat(timespec="microseconds")
        key = (entry.subscriber_id.bytes, entry.target.key, entry.erases)
        said = (
            entry.ends,
            entry.source,
            entry.campaign,
            entry.occurred_at.isoformat(timespec="microseconds"),
            entry.hash,
        )
        by_time = f"{at} {entry.seq:020}"
        ranks = [("seq", f"{entry.seq:020} {at}"), ("time", by_time)]
        if not entry.ends or _is_grave(entry):
            ranks.append(("weight", by_time))
        self._file.executemany(
            "INSERT INTO newest VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "rank = excluded.rank, ends = excluded.ends, source = excluded.source, "
            "campaign = excluded.campaign, occurred_at = excluded.occurred_at, "
            "hash = excluded.hash WHERE excluded.rank > rank",
            [(*key, by, rank, *said) for by, rank in ranks],
        )

    def count(self) -> int:
        """Return how many entries `ending` yields."""
        (found,) = self._file.execute("SELECT count(*) FROM ending").fetchone()
        return int(found)

    def ending(self) -> Iterator["Ending"]:
        """Yield what has ended, by subscriber: topics first, an erasure last."""
        rows = self._file.execute(
            "SELECT * FROM ending ORDER BY id, erases, target IN ('all', 'address'), occurred_at"
        )
        for subscriber_id, target, erases, source, campaign, at, digest in rows:
            yield Ending(
                subscriber_id=UUID(bytes=subscriber_id),
                target=Target.from_key(target),
                erases=bool(erases),
                source=Source(source),
                campaign=campaign,
                occurred_at=datetime.fromisoformat(at),
                hash=digest,
            )

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Ending:
    """Consent that one subscriber ended for one target, or an erasure, and its ledger row."""

    subscriber_id: UUID
    target: Target
    erases: bool
    source: Source
    campaign: str
    occurred_at: datetime
    hash: bytes


@dataclass(frozen=True)
class Replay:
    """One replay into one database. With `dry_run`, all is tried and nothing is kept."""

    database: Database
    clock: Callable[[], datetime]
    dry_run: bool = False

    def run(
        self,
        rows: Iterable[Row | RefusedRow],
        on_problem: Callable[[RefusedRow], None],
        *,
        on_read: Callable[[], None] = lambda: None,
        on_applying: Callable[[int], Callable[[int], None]] = lambda count: lambda done: None,
        on_new_topic: Callable[[str], None] = lambda slug: None,
    ) -> Counter[str]:
        """Replay `rows` and return how many were stopped, erased, unchanged and left alone.

        `on_problem` gets each row that was refused, or applied although a cell of it could not be
        read. `on_read` is called now and then; `on_applying` gets how many entries are to be
        applied, and returns what is told of each batch. Each batch is one transaction.
        """
        counts: Counter[str] = Counter()
        with closing(Newest()) as newest:
            for number, row in enumerate(rows):
                self._take(row, newest, on_problem)
                if number % BATCH_SIZE == 0:
                    on_read()
            advance = on_applying(newest.count())
            ending = newest.ending()
            while batch := list(islice(ending, BATCH_SIZE)):
                counts.update(self._apply(batch, on_new_topic))
                advance(len(batch))
        return counts

    def _take(
        self, row: Row | RefusedRow, newest: Newest, on_problem: Callable[[RefusedRow], None]
    ) -> None:
        if isinstance(row, RefusedRow):
            on_problem(row)
            return
        entry, problem = read(row, self.clock())
        if problem:
            on_problem(RefusedRow(row.line, problem))
        if entry is not None:
            newest.add(entry)

    def _apply(self, batch: list[Ending], on_new_topic: Callable[[str], None]) -> Counter[str]:
        now = self.clock()
        with self.database.transaction(dry_run=self.dry_run) as session:
            on_record = ledger.find_hashes(
                session, {each.subscriber_id for each in batch}, {each.hash for each in batch}
            )
            lost = [each for each in batch if (each.subscriber_id, each.hash) not in on_record]
            slugs = {each.target.topic for each in lost if each.target.topic is not None}
            for slug in sorted(slugs - topics.known(session, slugs).keys()):
                on_new_topic(slug)
            ids = {each.subscriber_id for each in lost}
            locked = apply.lock(session, slugs, ids, now)
            counts, domains = Counter[str](), set[str]()
            with session.no_autoflush:
                for each in lost:
                    subscriber, context = locked[each.subscriber_id], _context(each, now)
                    if not each.erases:
                        counts[_end(session, subscriber, each.target, context)] += 1
                    elif subscriber.erased_at is None:
                        domains.add(_erase(session, subscriber, context))
                        counts["erased"] += 1
                    else:
                        counts["unchanged"] += 1
            domain_hold.forget_rare(session, domains)
        counts["unchanged"] += len(batch) - len(lost)
        return counts


def _is_grave(entry: Entry) -> bool:
    """Return True if nothing weighs more than an entry (`consent.weighs_more`)."""
    lasts = entry.target == ADDRESS and entry.source is not Source.BOUNCE
    return lasts or entry.source is Source.COMPLAINT


def _context(ending: Ending, now: datetime) -> ChangeContext:
    return ChangeContext(
        Source.IMPORT,
        ending.occurred_at,
        now,
        campaign=ending.campaign or None,
        original_source=ending.source,
    )


def _end(session: Session, subscriber: Subscriber, target: Target, context: ChangeContext) -> str:
    """Re-apply an unsubscribe to a locked subscriber, and return what became of it."""
    existing = snapshots.find(subscriber, target)
    ended = consent.has_ended(subscriber, target)
    if existing is not None and ended and existing.repeated_at is not None:
        if not consent.weighs_more(context, target.scope, existing.source):
            return "unchanged"  # A second replay is not one more repeat.
    if consent.end_consent(session, subscriber, target, context).changed:
        return "unsubscribed"
    ended = subscriber.erased_at is not None or consent.has_ended(subscriber, target)
    return "unchanged" if ended else "newer"


def _erase(session: Session, subscriber: Subscriber, context: ChangeContext) -> str:
    """Erase a locked subscriber again, and return the domain of the address, or ""."""
    # If a newer choice supersedes the unsubscribe, one that is made now ends everything.
    now = context.recorded_at
    at_once = ChangeContext(Source.IMPORT, now, now, original_source=context.original_source)
    for each in (context, at_once):
        if not consent.has_ended(subscriber, ALL):
            consent.end_consent(session, subscriber, ALL, each)
    return erasure.forget(session, subscriber, context)
