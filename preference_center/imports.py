"""Data in: people and stops from elsewhere, in batches, safe to run again.

An import adds; it changes no choice on record and never undoes a stop (design 11).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy.orm import Session

from preference_center.addresses import is_mailable
from preference_center.core import consent, ledger, subscribers, topics
from preference_center.import_records import (
    STOPS,
    BadRowError,
    PreferenceRecord,
    SuppressionRecord,
    read_preference,
    read_suppression,
)
from preference_center.rows import RefusedRow, Row
from preference_center.store import Database
from preference_center.store.tables import Subscriber, Subscription

Record = PreferenceRecord | SuppressionRecord

ROWS_AT_A_TIME = 1000

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Import:
    """One import into one database. With `dry_run`, all is tried and nothing is kept."""

    database: Database
    identity_key: str
    clock: Callable[[], datetime]
    suppressions: bool = False
    default_topic: str | None = None
    dry_run: bool = False

    def run(
        self,
        rows: Iterable[Row | RefusedRow],
        on_refused: Callable[[RefusedRow], None],
        on_progress: Callable[[int], None] = lambda count: None,
    ) -> Counter[str]:
        """Import `rows` and return how many were added, stopped, kept, unchanged and refused.

        Each batch is one transaction: cut off in the middle, the batches before it are in, and
        running the file again adds the rest.
        """
        counts: Counter[str] = Counter()
        for batch in _batches(rows, ROWS_AT_A_TIME):
            records = []
            for row in batch:
                record = self._read(row)
                if isinstance(record, RefusedRow):
                    counts["refused"] += 1
                    on_refused(record)
                else:
                    records.append(record)
            counts.update(self._apply(records))
            on_progress(len(batch))
        return counts

    def _read(self, row: Row | RefusedRow) -> Record | RefusedRow:
        if isinstance(row, RefusedRow):
            return row
        try:
            if self.suppressions:
                return read_suppression(row, self.identity_key, self.clock())
            return read_preference(row, self.identity_key, self.clock(), self.default_topic)
        except BadRowError as error:
            return RefusedRow(row.line, str(error))

    def _apply(self, records: Sequence[Record]) -> Counter[str]:
        now = self.clock()
        with self.database.transaction(keep=not self.dry_run) as session:
            ids = {record.person.id for record in records}
            people = subscribers.lock_all(session, ids, now)
            return Counter(
                _apply_one(session, people[record.person.id], record, now) for record in records
            )


def _apply_one(session: Session, person: Subscriber, record: Record, now: datetime) -> str:
    _fill(person, record)
    if isinstance(record, SuppressionRecord):
        return _suppress(session, person, record, now)
    if record.status in STOPS:
        return _stop(session, person, record, now)
    known = person.subscriptions.get(record.topic)
    if person.suppressions or (known is not None and known.status == "unsubscribed"):
        return "kept"
    return _add(session, person, record, now)


def _fill(person: Subscriber, record: Record) -> None:
    """Remember an address or a language that is not on record yet; never after erasure."""
    if person.erased_at is not None:
        return
    email = record.person.email
    if person.email is None and email is not None and is_mailable(email):
        person.email = email
    if person.locale is None and isinstance(record, PreferenceRecord):
        person.locale = record.locale


def _add(session: Session, person: Subscriber, record: PreferenceRecord, now: datetime) -> str:
    at = record.changed_at or record.consent_at or now
    wording = record.consent_wording or None
    act = consent.Act("import", at, now, wording=wording, told=record.changed_by)
    topic = topics.ensure(session, record.topic, now)
    status = "unsubscribed" if record.status in STOPS else record.status
    subscription = consent.new_subscription(person, record.topic, status, act)
    _describe(subscription, record, ledger.record_wording(session, wording))
    outcome = consent.record_subscription(session, person, topic, subscription, act)
    return "added" if outcome.changed else "unchanged"


def _describe(subscription: Subscription, record: PreferenceRecord, wording: bytes | None) -> None:
    subscription.frequency = record.frequency
    subscription.consent_at = record.consent_at
    subscription.consent_source = record.consent_source
    subscription.consent_wording = wording
    subscription.basis = record.basis
    subscription.acquired_from = record.acquired_from


def _stop(session: Session, person: Subscriber, record: PreferenceRecord, now: datetime) -> str:
    act = consent.Act("import", record.changed_at or now, now, told=record.changed_by)
    changed = False
    if record.status in _SCOPES:
        scope = _SCOPES[record.status]
        changed = consent.end_consent(session, person, scope, act).changed
    if record.topic in person.subscriptions:
        topic = topics.ensure(session, record.topic, now)
        changed |= consent.end_consent(session, person, "topic", act, topic).changed
    else:
        changed |= _add(session, person, record, now) == "added"
    return "stopped" if changed else "unchanged"


_SCOPES: dict[str, consent.Scope] = {"bounced": "address", "complained": "all"}


def _suppress(
    session: Session, person: Subscriber, record: SuppressionRecord, now: datetime
) -> str:
    act = consent.Act("import", record.since or now, now, told=record.source)
    if record.kind == "topic":
        topic = topics.ensure(session, record.topic, now)
        outcome = consent.end_consent(session, person, "topic", act, topic)
    else:
        scope: consent.Scope = "address" if record.kind == "address" else "all"
        outcome = consent.end_consent(session, person, scope, act)
    if record.erased_at is not None and person.erased_at is None:
        subscribers.mark_erased(person, record.erased_at)
    return "stopped" if outcome.changed else "unchanged"


def _batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
