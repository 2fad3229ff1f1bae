"""What the records of one batch do to their people, in one transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from preference_center.core import consent, erasure, ledger
from preference_center.core.vocab import ImportStatus
from preference_center.data.import_records import PreferenceRecord, Record, SuppressionRecord
from preference_center.links.addresses import is_mailable
from preference_center.store.tables import Subscriber, Subscription, Topic


@dataclass(frozen=True)
class Batch:
    """Rows that go into one transaction, and the topics they are about.

    `erased_domains` are those of erased subscribers, for `domain_hold.forget_rare`.
    """

    session: Session
    now: datetime
    topics: Mapping[str, Topic]
    erased_domains: set[str] = field(default_factory=set)

    def apply(self, person: Subscriber, record: Record) -> str:
        """Apply one record, and return what became of it."""
        if person.erased_at is not None:
            record = replace(record, stated_source="")  # nothing may be gathered about them again
        if isinstance(record, SuppressionRecord):
            return self._suppress(person, record)
        if record.status.ends_consent:
            return self._stop(person, record)
        known = person.subscriptions.get(record.topic)
        left = known is not None and known.status == "unsubscribed"
        if left or "all" in person.suppressions or person.erased_at is not None:
            return "kept"
        return self._add(person, record)

    def _add(self, person: Subscriber, record: PreferenceRecord) -> str:
        at = record.changed_at or record.consent_at or self.now
        wording = record.consent_wording or None
        context = replace(self._act(at, record.changed_by, record.stated_source), wording=wording)
        status = "unsubscribed" if record.status.ends_consent else record.status.value
        subscription = consent.new_subscription(person, record.topic, status, context)
        _describe(subscription, record, ledger.record_wording(self.session, wording))
        result = consent.record_subscription(
            self.session, person, self.topics[record.topic], subscription, context
        )
        return "added" if result.changed else "unchanged"

    def _stop(self, person: Subscriber, record: PreferenceRecord) -> str:
        if _is_the_stop_above(person, record):
            return "unchanged"
        context = self._act(record.changed_at, record.changed_by, record.stated_source)
        changed = False
        if record.status in _SCOPES or not record.topic:
            scope = _SCOPES.get(record.status, "all")
            changed = consent.end_consent(self.session, person, scope, context).changed
        if not record.topic:
            return "stopped" if changed else "unchanged"
        if record.topic in person.subscriptions:
            topic = self.topics[record.topic]
            changed |= consent.end_consent(self.session, person, "topic", context, topic).changed
        elif person.erased_at is None:
            changed |= self._add(person, record) == "added"
        return "stopped" if changed else "unchanged"

    def _suppress(self, person: Subscriber, record: SuppressionRecord) -> str:
        context = self._act(record.since, record.source, record.stated_source)
        if record.kind == "topic":
            topic = self.topics[record.topic]
            result = consent.end_consent(self.session, person, "topic", context, topic)
        else:
            scope: consent.Scope = "address" if record.kind == "address" else "all"
            result = consent.end_consent(self.session, person, scope, context)
        if record.erased_at is not None and person.erased_at is None:
            context = replace(context, occurred_at=record.erased_at)
            self.erased_domains.add(erasure.forget(self.session, person, context))
            return "erased"
        return "stopped" if result.changed else "unchanged"

    def _act(self, at: datetime | None, told: str, stated_source: str) -> consent.ChangeContext:
        return consent.ChangeContext(
            "import", at or self.now, self.now, original_source=told, stated_source=stated_source
        )


_SCOPES: Mapping[ImportStatus, consent.Scope] = {
    ImportStatus.BOUNCED: "address",
    ImportStatus.COMPLAINED: "all",
}


def _is_the_stop_above(person: Subscriber, record: PreferenceRecord) -> bool:
    """Tell whether a row only repeats a stop of everything, as our own export writes it.

    What lies beneath that stop is on record here; it must outlive an undo.
    """
    stops = {(stop.since, stop.source) for stop in person.suppressions.values()}
    here = record.topic in person.subscriptions
    return here and (record.changed_at, record.changed_by) in stops


def fill(person: Subscriber, record: Record) -> None:
    """Remember an address or a language that is not on record yet; never after erasure."""
    erases = isinstance(record, SuppressionRecord) and record.erased_at is not None
    if erases or person.erased_at is not None:
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


def update_together(session: Session, people: Iterable[Subscriber]) -> None:
    """Have all who were changed updated in the same columns, and so in one statement."""
    for person in filter(session.is_modified, people):
        for column in ("email", "locale", "seq", "head"):
            flag_modified(person, column)
