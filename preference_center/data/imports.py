"""Import people and unsubscribes from files, in batches. It is safe to run one again.

An import adds: it changes no choice on record, and never undoes an unsubscribe.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from preference_center.core import domain_hold, ledger, subscribers, topics
from preference_center.data.identity import BadRowError
from preference_center.data.import_batch import Batch, fill, update_together
from preference_center.data.import_cells import UnknownWordError
from preference_center.data.import_columns import match
from preference_center.data.import_records import PreferenceRecord, Record, Rules, read_row
from preference_center.data.tabular import FileRefusedError, RefusedRow, Row, batches
from preference_center.store import Database
from preference_center.store.tables import Topic

_Item = TypeVar("_Item")

ROWS_AT_A_TIME = 1000
RECORDS_AT_A_TIME = 5000  # in one transaction: a row may have several addresses, each with twins
MAX_LISTED = 50  # distinct words of a file that are kept for the report


@dataclass(frozen=True)
class _Entry:
    """A record and its row. Twins do not count: they are the same unsubscribe again."""

    row: Row
    record: Record
    counts: bool


@dataclass
class Findings:
    """What an import has found so far that its counts do not say.

    `new_topics` were made; rows that start something on `missing_topics` were refused.
    `unknown_words` are columns with words that are none of theirs. `cleaned` counts rows with an
    address that was not clean, `not_on_record` unsubscribes of people who were not on record, and
    `foreign_ids` rows with an id that is not a subscriber id.
    """

    new_topics: set[str] = field(default_factory=set)
    missing_topics: set[str] = field(default_factory=set)
    unknown_words: set[tuple[str, str]] = field(default_factory=set)
    cleaned: int = 0
    not_on_record: int = 0
    foreign_ids: int = 0


@dataclass(frozen=True)
class Import:
    """One import into one database. With `dry_run`, all is tried and nothing is kept.

    `rules` say how rows are read. Without `create_topics`, a row that starts something on a topic
    that does not exist is refused; an unsubscribe makes its topic.
    """

    database: Database
    rules: Rules
    clock: Callable[[], datetime]
    create_topics: bool = False
    dry_run: bool = False
    findings: Findings = field(default_factory=Findings)

    def run(
        self,
        rows: Iterable[Row | RefusedRow],
        on_refused: Callable[[RefusedRow], None],
        on_warning: Callable[[Row, str], None] = lambda row, why: None,
        on_progress: Callable[[], None] = lambda: None,
    ) -> Counter[str]:
        """Import `rows` and return how many were added, stopped, kept, unchanged and refused.

        `on_warning` is told of what was wrong in a row that was applied all the same.

        Each batch is one transaction: if the import is interrupted, the batches before it are in,
        and running the file again adds the rest.
        """
        counts: Counter[str] = Counter()

        def refuse(row: RefusedRow) -> None:
            counts["refused"] += 1
            on_refused(row)

        for batch in batches(rows, ROWS_AT_A_TIME):
            entries = [each for row in batch for each in self._read(row, refuse, on_warning)]
            for part in _parts(entries, RECORDS_AT_A_TIME):
                counts.update(self._apply(part, refuse))
            on_progress()
        return counts

    def _read(
        self,
        row: Row | RefusedRow,
        refuse: Callable[[RefusedRow], None],
        warn: Callable[[Row, str], None],
    ) -> list[_Entry]:
        if isinstance(row, RefusedRow):
            refuse(row)
            return []
        try:
            columns = match(tuple(row.cells), self.rules.ignored)
            reading = read_row(row, columns, self.rules, self.clock())
        except (BadRowError, FileRefusedError) as error:
            if isinstance(error, UnknownWordError):
                _note(self.findings.unknown_words, (error.column, error.word))
            refuse(row.refused(str(error)))
            return []
        self.findings.cleaned += reading.cleaned
        self.findings.foreign_ids += reading.foreign_id
        for warning in reading.warnings:
            warn(row, warning)
        counted = [_Entry(row, record, counts=True) for record in reading.records]
        return counted + [_Entry(row, record, counts=False) for record in reading.twins]

    def _apply(
        self, entries: Sequence[_Entry], refuse: Callable[[RefusedRow], None]
    ) -> Counter[str]:
        now, counts = self.clock(), Counter[str]()
        with self.database.transaction(dry_run=self.dry_run) as session:
            # What people share comes first and in order: two imports at once never wait for each
            # other, and no row needs to ask for it again.
            known = self._topics(session, [each.record for each in entries], now)
            usable = self._usable(entries, known, refuse)
            for wording in sorted(_wordings(each.record for each in usable)):
                ledger.record_wording(session, wording)
            ids = {each.record.identity.id for each in usable}
            locked = subscribers.lock_all(session, ids, now)
            batch = Batch(session, now)
            with session.no_autoflush:
                for each in usable:
                    subscriber = locked[each.record.identity.id]
                    if each.counts:
                        fill(subscriber, each.record)
                    result = batch.apply(subscriber, each.record)
                    counts[result] += each.counts
                    is_new = result == "unsubscribed" and subscriber.created_at == now
                    self.findings.not_on_record += each.counts and is_new
            update_together(session, locked.values())
            domain_hold.forget_rare(session, batch.erased_domains)
        return +counts

    def _usable(
        self,
        entries: Sequence[_Entry],
        known: Mapping[str, Topic],
        refuse: Callable[[RefusedRow], None],
    ) -> list[_Entry]:
        """Return the entries whose topic may be used, and refuse the others.

        A topic that only this import's unsubscribes have made is not there for other rows, so that
        their order does not matter.
        """
        made = set() if self.create_topics else self.findings.new_topics
        usable = []
        for each in entries:
            if each.record.ends_consent or (
                each.record.topic in known and each.record.topic not in made
            ):
                usable.append(each)
            else:
                _note(self.findings.missing_topics, each.record.topic)
                refuse(each.row.refused("its topic does not exist"))
        return usable

    def _topics(
        self, session: Session, records: Sequence[Record], now: datetime
    ) -> dict[str, Topic]:
        """Return the topics that exist, by slug; make those that are missing and may be made."""
        named = {record.topic for record in records} - {""}
        ended = {record.topic for record in records if record.ends_consent} - {""}
        known = topics.known(session, named)
        for slug in sorted((named if self.create_topics else ended) - known.keys()):
            known[slug] = topics.get_or_create(session, slug, now)
            self.findings.new_topics.add(slug)
        return known


def _note(words: set[_Item], word: _Item) -> None:
    if len(words) < MAX_LISTED:
        words.add(word)


def _wordings(records: Iterable[Record]) -> set[str]:
    return {each.consent_wording for each in records if isinstance(each, PreferenceRecord)} - {""}


def _parts(entries: Sequence[_Entry], size: int) -> Iterator[Sequence[_Entry]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]
