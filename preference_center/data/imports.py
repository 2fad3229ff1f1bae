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

from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.apply import apply
from preference_center.data.identity import BadRowError
from preference_center.data.import_batch import ImportRecord
from preference_center.data.import_cells import UnknownWordError
from preference_center.data.import_columns import match
from preference_center.data.import_records import Record, Rules
from preference_center.data.import_rows import read_row
from preference_center.data.overlap import overlapped
from preference_center.data.tabular import FileRefusedError, RefusedRow, Row, batches
from preference_center.store import Database

ROWS_PER_BATCH = 1000
# In one transaction. A row may have several addresses, each with aliases.
RECORDS_PER_TRANSACTION = 5000
MAX_LISTED = 50  # distinct words of a file that are kept for the report

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
class _Applied:
    """What a transaction did: how often which effect, and the rows that it refused."""

    effects: Counter[str] = field(default_factory=Counter)
    not_on_record: int = 0
    refused: list[RefusedRow] = field(default_factory=list)


@dataclass
class Findings:
    """What an import has found so far, beyond its counts.

    `new_topics` were created. Rows that start something on `missing_topics` were refused.
    `unknown_words` are pairs of a column and a word that it does not know. `cleaned` counts rows
    whose address had to be cleaned, `not_on_record` unsubscribes of people who were not on record,
    and `foreign_ids` rows whose id is not a subscriber id.
    """

    new_topics: set[str] = field(default_factory=set)
    missing_topics: set[str] = field(default_factory=set)
    unknown_words: set[tuple[str, str]] = field(default_factory=set)
    cleaned: int = 0
    not_on_record: int = 0
    foreign_ids: int = 0


@dataclass(frozen=True)
class Import:
    """One import into one database. With `dry_run`, every transaction is rolled back.

    An unsubscribe creates its topic. Without `create_topics`, a row that starts something on a
    topic that does not exist is refused.
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
        on_refused: _OnRefused,
        on_warning: _OnWarning = lambda row, why: None,
        on_progress: Callable[[], None] = lambda: None,
    ) -> Counter[str]:
        """Import rows and return counts: added, unsubscribed, erased, kept, unchanged, refused.

        `kept` counts rows that would start something for a person who unsubscribed. `on_warning`
        is called with each problem of a row that is applied anyway.

        Batches are committed one by one. To continue an interrupted import, run the file again.
        """
        counts: Counter[str] = Counter()

        def refuse(row: RefusedRow) -> None:
            counts["refused"] += 1
            on_refused(row)

        parts = self._parts(rows, refuse, on_warning)
        for _, applied in overlapped(self.database, self._apply, parts, _ids):
            for refused in applied.refused:
                refuse(refused)
            counts.update(applied.effects)
            self.findings.not_on_record += applied.not_on_record
            on_progress()
        return counts

    def _parts(
        self, rows: Iterable[Row | RefusedRow], refuse: _OnRefused, warn: _OnWarning
    ) -> Iterator[list[_RowRecord]]:
        """Yield the records of one transaction after the other."""
        for batch in batches(rows, ROWS_PER_BATCH):
            records = iter([each for row in batch for each in self._read(row, refuse, warn)])
            while part := list(islice(records, RECORDS_PER_TRANSACTION)):
                yield part

    def _read(
        self, row: Row | RefusedRow, refuse: _OnRefused, warn: _OnWarning
    ) -> list[_RowRecord]:
        if isinstance(row, RefusedRow):
            refuse(row)
            return []
        try:
            columns = match(tuple(row.cells), self.rules.ignored)
            read = read_row(row, columns, self.rules, self.clock())
        except (BadRowError, FileRefusedError) as error:
            if isinstance(error, UnknownWordError):
                _add(self.findings.unknown_words, (error.column, error.word))
            refuse(row.refused(str(error)))
            return []
        self.findings.cleaned += read.cleaned
        self.findings.foreign_ids += read.foreign_id
        for warning in read.warnings:
            warn(row, warning)
        counted = [_RowRecord(row, record, counts=True) for record in read.records]
        return counted + [_RowRecord(row, record, counts=False) for record in read.aliases]

    def _apply(self, part: Sequence[_RowRecord]) -> _Applied:
        now, applied = self.clock(), _Applied()
        with self.database.transaction(dry_run=self.dry_run) as session:
            known, new = self._topics(session, [each.record for each in part])
            usable = self._usable(part, known | new, applied.refused)
            changes = [
                ImportRecord(each.record.identity.id, each.record, now, each.counts)
                for each in usable
            ]
            results = apply(session, changes, now)
        for each, result in zip(usable, results, strict=True):
            if each.counts:
                applied.effects[result.effect] += 1
                is_new = result.is_new and result.effect == "unsubscribed"
                applied.not_on_record += is_new
        return applied

    def _usable(
        self, records: Sequence[_RowRecord], known: Set[str], refused: list[RefusedRow]
    ) -> list[_RowRecord]:
        """Return the records whose topic may be used, and add the rows of the others to `refused`.

        Topics that only this import's unsubscribes have created do not count as known, so that the
        order of the rows does not matter.
        """
        slugs = known - (set() if self.create_topics else self.findings.new_topics)
        usable = []
        for each in records:
            if each.record.ends_consent or each.record.topic in slugs:
                usable.append(each)
            else:
                _add(self.findings.missing_topics, each.record.topic)
                refused.append(each.row.refused("the topic does not exist"))
        return usable

    def _topics(self, session: Session, records: Sequence[Record]) -> tuple[set[str], set[str]]:
        """Return the slugs of the records that exist, and those that are to be created."""
        named = {record.topic for record in records} - {""}
        ended = {record.topic for record in records if record.ends_consent} - {""}
        known = set(topics.known(session, named))
        new = (named if self.create_topics else ended) - known
        self.findings.new_topics |= new
        return known, new


def _ids(part: Sequence[_RowRecord]) -> set[UUID]:
    return {each.record.identity.id for each in part}


def _add(items: set[_Item], item: _Item) -> None:
    if len(items) < MAX_LISTED:
        items.add(item)
