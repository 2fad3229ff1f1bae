"""Import subscribers and unsubscribes from files, in batches. An import can be run again safely.

An import only adds: it changes no choice on record, and never undoes an unsubscribe.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

from preference_center.core import topics
from preference_center.core.apply import apply
from preference_center.data.formats.reader import ReadableRow
from preference_center.data.identity import BadRowError
from preference_center.data.import_batch import Imported, ImportRecord
from preference_center.data.import_cells import UnknownWordError
from preference_center.data.import_columns import match
from preference_center.data.import_preview import Preview
from preference_center.data.import_records import ReadRow, Record, Rules
from preference_center.data.import_rows import read_row
from preference_center.data.spreading import spread
from preference_center.data.tabular import FileRefusedError, RefusedRow, Row, batches
from preference_center.store import Database

ROWS_PER_BATCH = 1000
# In one transaction. A row may have several addresses, each with aliases.
RECORDS_PER_TRANSACTION = 5000
MAX_LISTED = 50  # distinct words of a file that are kept for the report
MAX_SHOWN_WORD = 40  # characters

_Item = TypeVar("_Item")
_OnRefused = Callable[[RefusedRow], None]
_OnWarning = Callable[[Row, str], None]


@dataclass(frozen=True)
class _RowRecord:
    """A record and its row. A record for an alias repeats an unsubscribe, and is not counted."""

    row: Row
    record: Record
    counts: bool


@dataclass
class Findings:
    """What an import has found so far, beyond its counts.

    `new_topics` were created. Rows that start something on `missing_topics` were refused.
    `unknown_words` are pairs of a column and a word that it does not know. `cleaned` counts rows
    whose address had to be cleaned, `not_on_record` unsubscribes of people who were not on record,
    and `foreign_ids` rows whose id is not a subscriber id. `unmapped_topics` are topics of another
    system that are not mapped to a topic here.
    """

    new_topics: set[str] = field(default_factory=set)
    missing_topics: set[str] = field(default_factory=set)
    unknown_words: set[tuple[str, str]] = field(default_factory=set)
    unmapped_topics: set[str] = field(default_factory=set)
    cleaned: int = 0
    not_on_record: int = 0
    foreign_ids: int = 0


@dataclass(frozen=True)
class Import:
    """One import of one file. With `dry_run`, every transaction is rolled back.

    `processes` apply the rows; see `spreading.spread`. `preview` counts what they say.

    An unsubscribe creates its topic. Without `create_topics`, a row that starts something on a
    topic that does not exist is refused. With `keeps_topics`, no topic is created, and every row on
    one that does not exist is refused.
    """

    database: Database
    rules: Rules
    clock: Callable[[], datetime]
    create_topics: bool = False
    keeps_topics: bool = False
    dry_run: bool = False
    processes: int = 1
    counts: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    preview: Preview | None = None

    def run(
        self,
        rows: Iterable[Row | RefusedRow],
        on_refused: _OnRefused,
        on_warning: _OnWarning = lambda row, why: None,
        on_progress: Callable[[], None] = lambda: None,
    ) -> Counter[str]:
        """Import rows and return counts of what they did.

        These are added, unsubscribed, erased, known, kept, unchanged and refused. `known` counts
        new addresses without a topic, `kept` rows that would start something for a person who
        unsubscribed. `on_warning` is called with each problem of a row that is applied anyway.

        Batches are committed one by one. To continue an interrupted import, run the file again.
        """
        for _ in self.steps(rows, on_refused, on_warning):
            on_progress()
        return self.counts

    def steps(
        self,
        rows: Iterable[Row | RefusedRow],
        on_refused: _OnRefused,
        on_warning: _OnWarning = lambda row, why: None,
    ) -> Iterator[None]:
        """Import as `run` does, and pause after each batch; `counts` has what happened so far."""

        def refuse(row: RefusedRow) -> None:
            self.counts["refused"] += 1
            on_refused(row)

        with self.database.reading() as session:
            known = topics.slugs(session)
        changes = self._changes(rows, known, refuse, on_warning)
        for part, results in spread(self.database, self._apply, changes, _ids, self.processes):
            for change, result in zip(part, results, strict=True):
                if change.adds_details:
                    self.counts[result.effect] += 1
                    is_new = result.is_new and result.effect == "unsubscribed"
                    self.findings.not_on_record += is_new
            yield

    def _apply(self, changes: Sequence[ImportRecord]) -> list[Imported]:
        if not changes:
            return []
        with self.database.transaction(dry_run=self.dry_run) as session:
            return apply(session, changes, changes[0].now)

    def _changes(
        self,
        rows: Iterable[Row | RefusedRow],
        known: Set[str],
        refuse: _OnRefused,
        warn: _OnWarning,
    ) -> Iterator[list[ImportRecord]]:
        """Yield the changes of one transaction after the other: none if a batch has none."""
        for batch in batches(rows, ROWS_PER_BATCH):
            now = self.clock()
            read = (each for row in batch for each in self._read(row, now, refuse, warn))
            usable = (each for each in read if self._is_usable(each, known, refuse))
            changes = (
                ImportRecord(each.record.identity.id, each.record, now, each.counts)
                for each in usable
            )
            yield list(islice(changes, RECORDS_PER_TRANSACTION))
            while part := list(islice(changes, RECORDS_PER_TRANSACTION)):
                yield part

    def _read(
        self, row: Row | RefusedRow, now: datetime, refuse: _OnRefused, warn: _OnWarning
    ) -> list[_RowRecord]:
        if isinstance(row, RefusedRow):
            refuse(row)
            return []
        try:
            read = self._read_row(row, now)
        except (BadRowError, FileRefusedError) as error:
            if isinstance(error, UnknownWordError):
                _add(self.findings.unknown_words, (error.column, error.word))
            refuse(row.refused(str(error)))
            return []
        self._note(row, read)
        for warning in read.warnings:
            warn(row, warning)
        counted = [_RowRecord(row, record, counts=True) for record in read.records]
        return counted + [_RowRecord(row, record, counts=False) for record in read.aliases]

    def _read_row(self, row: Row, now: datetime) -> ReadRow:
        if isinstance(row, ReadableRow):
            return row.read(now)
        columns = match(row.names, self.rules.ignored, mapped=self.rules.columns)
        return read_row(row, columns, self.rules, now)

    def _note(self, row: Row, read: ReadRow) -> None:
        self.findings.cleaned += read.cleaned
        self.findings.foreign_ids += read.foreign_id
        for word in read.unknown_words:
            _add(self.findings.unknown_words, word)
        for topic in read.unmapped_topics:
            _add(self.findings.unmapped_topics, topic)
        if self.preview is not None:
            self.preview.add(row.part, read)

    def _is_usable(self, each: _RowRecord, known: Set[str], refuse: _OnRefused) -> bool:
        """Return True if the topic of a record may be used, else refuse its row.

        Topics that unsubscribes of the same file create do not count as known, so that the order of
        its rows does not matter.
        """
        record, topic = each.record, each.record.topic
        if topic and topic not in known:
            if self.keeps_topics or not (record.ends_consent or self.create_topics):
                _add(self.findings.missing_topics, topic)
                refuse(each.row.refused("the topic does not exist"))
                return False
            self.findings.new_topics.add(topic)
        return True


def _ids(changes: Sequence[ImportRecord]) -> set[UUID]:
    return {each.subscriber_id for each in changes}


def _add(items: set[_Item], item: _Item) -> None:
    if len(items) < MAX_LISTED:
        items.add(item)


def shown_word(word: str) -> str:
    """Return a word of a file as a report may show it, without addresses."""
    return "(an address)" if "@" in word else repr(word[:MAX_SHOWN_WORD])
