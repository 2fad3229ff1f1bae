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
    consent,
    domain_hold,
    erasure,
    ledger,
    snapshots,
    subscribers,
    topics,
)
from preference_center.data.replay_records import Entry, Scope, read
from preference_center.data.tabular import RefusedRow, Row
from preference_center.store import Database
from preference_center.store.tables import Subscriber, Suppression, Topic

ENTRIES_AT_A_TIME = 1000


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
            "CREATE TABLE newest (id BLOB, scope TEXT, topic TEXT, by TEXT, rank TEXT, "
            "ends INTEGER, source TEXT, campaign TEXT, occurred_at TEXT, hash BLOB, "
            "PRIMARY KEY (id, scope, topic, by)) WITHOUT ROWID"
        )
        self._file.execute(
            "CREATE VIEW ending AS SELECT DISTINCT id, scope, topic, source, campaign, "
            "occurred_at, hash FROM newest WHERE ends"
        )
        self._file.execute("BEGIN")

    def add(self, entry: Entry) -> None:
        """Keep an entry unless a newer one is known."""
        at = entry.recorded_at.isoformat(timespec="microseconds")
        key = (entry.subscriber_id.bytes, entry.scope, entry.topic)
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
            "SELECT * FROM ending ORDER BY id, scope = 'erased', scope <> 'topic', occurred_at"
        )
        for subscriber_id, scope, topic, source, campaign, at, digest in rows:
            occurred_at = datetime.fromisoformat(at)
            yield Ending(
                UUID(bytes=subscriber_id), scope, topic, source, campaign, occurred_at, digest
            )

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class Ending:
    """Consent that one subscriber ended to one scope, and in which row of the ledger."""

    subscriber_id: UUID
    scope: Scope
    topic: str
    source: str
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
                if number % ENTRIES_AT_A_TIME == 0:
                    on_read()
            advance = on_applying(newest.count())
            ending = newest.ending()
            while batch := list(islice(ending, ENTRIES_AT_A_TIME)):
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
            known = {slug: topics.get_or_create(session, slug, now) for slug in _slugs(lost)}
            for slug, topic in known.items():
                if topic.created_at == now:
                    on_new_topic(slug)
            people = subscribers.lock_all(session, {each.subscriber_id for each in lost}, now)
            counts, domains = Counter[str](), set[str]()
            with session.no_autoflush:
                for each in lost:
                    person, context = people[each.subscriber_id], _act(each, now)
                    if each.scope != "erased":
                        ended = _end(session, person, each.scope, context, known.get(each.topic))
                        counts[ended] += 1
                    elif person.erased_at is None:
                        domains.add(_erase(session, person, context))
                        counts["erased"] += 1
                    else:
                        counts["unchanged"] += 1
            domain_hold.forget_rare(session, domains)
        counts["unchanged"] += len(batch) - len(lost)
        return counts


def _is_grave(entry: Entry) -> bool:
    """Return True if nothing weighs more than an entry (`consent.weighs_more`)."""
    lasts = entry.scope == "address" and entry.source != "bounce"
    return lasts or entry.source == "complaint"


def _slugs(lost: Iterable[Ending]) -> list[str]:
    return sorted({each.topic for each in lost} - {""})


def _act(ending: Ending, now: datetime) -> consent.ChangeContext:
    return consent.ChangeContext(
        "import",
        ending.occurred_at,
        now,
        campaign=ending.campaign or None,
        original_source=ending.source,
    )


def _end(
    session: Session,
    person: Subscriber,
    scope: consent.Scope,
    context: consent.ChangeContext,
    topic: Topic | None,
) -> str:
    """Re-apply an unsubscribe to a locked subscriber, and return what became of it."""
    key = snapshots.subscription_key(topic.slug) if topic is not None else scope
    held = snapshots.find(person, key)
    repeated = held is not None and _has_ended(person, key) and held.repeated_at is not None
    if held is not None and repeated and not consent.weighs_more(context, scope, held.source):
        return "unchanged"  # so that a second replay is not one more repeat
    if consent.end_consent(session, person, scope, context, topic).changed:
        return "stopped"
    return "unchanged" if person.erased_at or _has_ended(person, key) else "newer"


def _has_ended(person: Subscriber, key: str) -> bool:
    held = snapshots.find(person, key)
    return isinstance(held, Suppression) or (held is not None and held.status == "unsubscribed")


def _erase(session: Session, person: Subscriber, context: consent.ChangeContext) -> str:
    """Erase a locked subscriber again, and return the domain of the address, or ""."""
    at_once = consent.ChangeContext(
        "import", context.recorded_at, context.recorded_at, original_source=context.original_source
    )  # yields to no newer choice
    for each in (context, at_once):
        if "all" not in person.suppressions:
            consent.end_consent(session, person, "all", each)
    return erasure.forget(session, person, context)
