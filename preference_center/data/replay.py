"""Re-apply unsubscribes and erasures that a restored backup has lost.

The input is exports of the ledger that were kept elsewhere. A replay ends consent and erases; it
never starts or restores consent. It skips an unsubscribe if a later row of the same subscriber and
target, or a newer choice on record, started email again. If the order of two rows is in doubt, it
ends consent.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy.orm import Session

from preference_center.core import consent, erasure, ledger, snapshots, topics
from preference_center.core.apply import apply
from preference_center.core.change import ALL, ChangeContext
from preference_center.core.draft import Change, Draft
from preference_center.core.state import Subscriber
from preference_center.core.vocab import Source
from preference_center.data.replay_latest import EndedConsent, LatestEntries
from preference_center.data.replay_records import read
from preference_center.data.tabular import RefusedRow, Row
from preference_center.store import Database

BATCH_SIZE = 1000

_OnProblem = Callable[[RefusedRow], None]
_OnNewTopic = Callable[[str], None]


@dataclass(frozen=True)
class Replay:
    """One replay into one database. With `dry_run`, every transaction is rolled back."""

    database: Database
    clock: Callable[[], datetime]
    dry_run: bool = False

    def run(
        self,
        rows: Iterable[Row | RefusedRow],
        on_problem: _OnProblem,
        *,
        on_read: Callable[[], None] = lambda: None,
        on_applying: Callable[[int], Callable[[int], None]] = lambda count: lambda done: None,
        on_new_topic: _OnNewTopic = lambda slug: None,
    ) -> Counter[str]:
        """Replay rows and return counts: unsubscribed, erased, unchanged, newer.

        `newer` counts entries that a newer choice on record supersedes. `on_problem` gets each row
        that was refused, or applied although a cell could not be read. `on_read` is called once
        per `BATCH_SIZE` rows.
        `on_applying` gets the number of entries to apply, and returns a function that gets the size
        of each batch that was applied. Each batch is one transaction.
        """
        counts: Counter[str] = Counter()
        with closing(LatestEntries()) as latest:
            for number, row in enumerate(rows):
                self._read(row, latest, on_problem)
                if number % BATCH_SIZE == 0:
                    on_read()
            advance = on_applying(latest.count())
            ended = latest.ended()
            while batch := list(islice(ended, BATCH_SIZE)):
                counts.update(self._apply(batch, on_new_topic))
                advance(len(batch))
        return counts

    def _read(self, row: Row | RefusedRow, latest: LatestEntries, on_problem: _OnProblem) -> None:
        if isinstance(row, RefusedRow):
            on_problem(row)
            return
        entry, problem = read(row, self.clock())
        if problem:
            on_problem(RefusedRow(row.line, problem))
        if entry is not None:
            latest.add(entry)

    def _apply(self, batch: Sequence[EndedConsent], on_new_topic: _OnNewTopic) -> Counter[str]:
        now = self.clock()
        with self.database.transaction(dry_run=self.dry_run) as session:
            lost = _lost(session, batch)
            slugs = {each.target.topic for each in lost if each.target.topic is not None}
            for slug in sorted(slugs - topics.known(session, slugs).keys()):
                on_new_topic(slug)
            changes = [_Replayed(each.subscriber_id, each, _context(each, now)) for each in lost]
            counts = Counter(apply(session, changes, now))
        counts["unchanged"] += len(batch) - len(lost)
        return counts


def _lost(session: Session, batch: Sequence[EndedConsent]) -> list[EndedConsent]:
    """Return the items whose ledger row is not on record."""
    ids, hashes = {each.subscriber_id for each in batch}, {each.hash for each in batch}
    on_record = ledger.find_hashes(session, ids, hashes)
    return [each for each in batch if (each.subscriber_id, each.hash) not in on_record]


@dataclass(frozen=True)
class _Replayed(Change[str]):
    """An unsubscribe or an erasure that is made again; the result is the name of its count."""

    ended: EndedConsent
    context: ChangeContext

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.ended.target.topic,) if self.ended.target.topic is not None else ()

    def first_row(self, subscriber: Subscriber) -> int | None:
        return ledger.first_row_looked_back(subscriber.seq) if subscriber.seq else None

    def make(self, draft: Draft) -> str:
        if not self.ended.erases:
            return self._end(draft)
        if draft.subscriber.erased_at is not None:
            return "unchanged"
        self._erase(draft)
        return "erased"

    def _end(self, draft: Draft) -> str:
        target, subscriber = self.ended.target, draft.subscriber
        existing = snapshots.find(subscriber, target)
        repeated = (
            existing is not None
            and existing.repeated_at is not None
            and consent.has_ended(subscriber, target)
            and not consent.weighs_more(self.context, target.scope, existing.source)
        )
        if repeated:
            return "unchanged"  # A second replay is not another repeat.
        if consent.end_consent(draft, target, self.context).changed:
            return "unsubscribed"
        has_ended = subscriber.erased_at is not None or consent.has_ended(subscriber, target)
        return "unchanged" if has_ended else "newer"

    def _erase(self, draft: Draft) -> None:
        # A newer choice may supersede the unsubscribe at its own time, but not one that is made
        # now.
        now, source = self.context.recorded_at, self.context.original_source
        at_once = ChangeContext(Source.IMPORT, now, now, original_source=source)
        for each in (self.context, at_once):
            if not consent.has_ended(draft.subscriber, ALL):
                consent.end_consent(draft, ALL, each)
        erasure.forget(draft, self.context)


def _context(ended: EndedConsent, now: datetime) -> ChangeContext:
    return ChangeContext(
        Source.IMPORT,
        ended.occurred_at,
        now,
        campaign=ended.campaign or None,
        original_source=ended.source,
    )
