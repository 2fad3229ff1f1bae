"""Data in: people and stops from elsewhere, in batches, safe to run again.

An import adds; it changes no choice on record and never undoes a stop.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from preference_center.addresses import is_mailable
from preference_center.core import consent, erasure, ledger, subscribers, topics
from preference_center.import_records import (
    STOPS,
    BadRowError,
    PreferenceRecord,
    SuppressionRecord,
    read_preference,
    read_suppression,
)
from preference_center.rows import RefusedRow, Row, batches
from preference_center.store import Database
from preference_center.store.tables import Subscriber, Subscription, Topic

Record = PreferenceRecord | SuppressionRecord

ROWS_AT_A_TIME = 1000


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
        on_progress: Callable[[], None] = lambda: None,
        on_new_topic: Callable[[str], None] = lambda slug: None,
    ) -> Counter[str]:
        """Import `rows` and return how many were added, stopped, kept, unchanged and refused.

        `on_new_topic` is told of each topic that a row has made; a dry run, batch by batch.

        Each batch is one transaction: cut off in the middle, the batches before it are in, and
        running the file again adds the rest.
        """
        counts: Counter[str] = Counter()
        for batch in batches(rows, ROWS_AT_A_TIME):
            records = []
            for row in batch:
                record = self._read(row)
                if isinstance(record, RefusedRow):
                    counts["refused"] += 1
                    on_refused(record)
                else:
                    records.append(record)
            counts.update(self._apply(records, on_new_topic))
            on_progress()
        return counts

    def _read(self, row: Row | RefusedRow) -> Record | RefusedRow:
        if isinstance(row, RefusedRow):
            return row
        try:
            if self.suppressions:
                return read_suppression(row, self.identity_key, self.clock())
            record = read_preference(row, self.identity_key, self.clock(), self.default_topic)
        except BadRowError as error:
            return row.refused(str(error))
        # Only what ends consent is applied from a row that has something wrong with it.
        return row.refused() if row.problems and record.status not in STOPS else record

    def _apply(
        self, records: Sequence[Record], on_new_topic: Callable[[str], None]
    ) -> Counter[str]:
        now = self.clock()
        with self.database.transaction(keep=not self.dry_run) as session:
            # What people share comes first and in order: two imports at once never wait for each
            # other, and no row needs to ask for it again.
            slugs = sorted({record.topic for record in records} - {""})
            known = {slug: topics.ensure(session, slug, now) for slug in slugs}
            for slug, topic in known.items():
                if topic.created_at == now:
                    on_new_topic(slug)
            for wording in sorted(_wordings(records)):
                ledger.record_wording(session, wording)
            people = subscribers.lock_all(session, {each.person.id for each in records}, now)
            batch = _Batch(session, now, known)
            with session.no_autoflush:
                return Counter(batch.apply(people[each.person.id], each) for each in records)


def _wordings(records: Iterable[Record]) -> set[str]:
    return {each.consent_wording for each in records if isinstance(each, PreferenceRecord)} - {""}


@dataclass(frozen=True)
class _Batch:
    """Rows that go into one transaction, and the topics they are about."""

    session: Session
    now: datetime
    topics: Mapping[str, Topic]

    def apply(self, person: Subscriber, record: Record) -> str:
        """Take in one row, and return what became of it."""
        if isinstance(record, SuppressionRecord):
            return self._suppress(person, record)
        _fill(person, record)
        if record.status in STOPS:
            return self._stop(person, record)
        known = person.subscriptions.get(record.topic)
        left = known is not None and known.status == "unsubscribed"
        if left or "all" in person.suppressions or person.erased_at is not None:
            return "kept"
        return self._add(person, record)

    def _add(self, person: Subscriber, record: PreferenceRecord) -> str:
        at = record.changed_at or record.consent_at or self.now
        wording = record.consent_wording or None
        act = consent.Act("import", at, self.now, wording=wording, told=record.changed_by)
        status = "unsubscribed" if record.status in STOPS else record.status
        subscription = consent.new_subscription(person, record.topic, status, act)
        _describe(subscription, record, ledger.record_wording(self.session, wording))
        outcome = consent.record_subscription(
            self.session, person, self.topics[record.topic], subscription, act
        )
        return "added" if outcome.changed else "unchanged"

    def _stop(self, person: Subscriber, record: PreferenceRecord) -> str:
        if _is_the_stop_above(person, record):
            return "unchanged"
        act = self._act(record.changed_at, record.changed_by)
        changed = False
        if record.status in _SCOPES:
            scope = _SCOPES[record.status]
            changed = consent.end_consent(self.session, person, scope, act).changed
        if record.topic in person.subscriptions:
            topic = self.topics[record.topic]
            changed |= consent.end_consent(self.session, person, "topic", act, topic).changed
        elif person.erased_at is None:
            changed |= self._add(person, record) == "added"
        return "stopped" if changed else "unchanged"

    def _suppress(self, person: Subscriber, record: SuppressionRecord) -> str:
        if record.erased_at is None:
            _fill(person, record)
        act = self._act(record.since, record.source)
        if record.kind == "topic":
            topic = self.topics[record.topic]
            outcome = consent.end_consent(self.session, person, "topic", act, topic)
        else:
            scope: consent.Scope = "address" if record.kind == "address" else "all"
            outcome = consent.end_consent(self.session, person, scope, act)
        if record.erased_at is not None and person.erased_at is None:
            erasure.forget(self.session, person, self._act(record.erased_at, record.source))
            return "erased"
        return "stopped" if outcome.changed else "unchanged"

    def _act(self, at: datetime | None, told: str) -> consent.Act:
        return consent.Act("import", at or self.now, self.now, told=told)


_SCOPES: dict[str, consent.Scope] = {"bounced": "address", "complained": "all"}


def _is_the_stop_above(person: Subscriber, record: PreferenceRecord) -> bool:
    """Tell whether a row only repeats a stop of everything, as our own export writes it.

    What lies beneath that stop is on record here; it must outlive an undo.
    """
    stops = {(stop.since, stop.source) for stop in person.suppressions.values()}
    here = record.topic in person.subscriptions
    return here and (record.changed_at, record.changed_by) in stops


def _fill(person: Subscriber, record: Record) -> None:
    """Remember an address or a language that is not on record yet; never after erasure."""
    if person.erased_at is not None:
        return
    email = record.person.email
    if person.email is None and email is not None and is_mailable(email):
        person.email = email
    if person.locale is None and isinstance(record, PreferenceRecord):
        person.locale = record.locale


def _describe(subscription: Subscription, record: PreferenceRecord, wording: bytes | None) -> None:
    subscription.frequency = record.frequency
    subscription.paused_until = record.paused_until
    subscription.consent_at = record.consent_at
    subscription.consent_source = record.consent_source
    subscription.consent_wording = wording
    subscription.basis = record.basis
    subscription.acquired_from = record.acquired_from
