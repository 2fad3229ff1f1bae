"""Apply the records of one import batch to their subscribers, in one transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from preference_center.core import consent, erasure, ledger
from preference_center.core.change import ADDRESS, ALL, ChangeContext, Target
from preference_center.core.vocab import ImportStatus, Source, Status
from preference_center.data.import_records import PreferenceRecord, Record, SuppressionRecord
from preference_center.links.addresses import is_mailable
from preference_center.store.tables import Subscriber, Subscription


@dataclass(frozen=True)
class Batch:
    """The records of one transaction. The caller has created the topics.

    `erased_domains` are those of erased subscribers, for `domain_hold.forget_rare`.
    """

    session: Session
    now: datetime
    erased_domains: set[str] = field(default_factory=set)

    def apply(self, subscriber: Subscriber, record: Record) -> str:
        """Apply one record, and return what it did: the name of a count of `Import.run`."""
        if subscriber.erased_at is not None:
            record = replace(record, stated_source="")  # Keep no new data about them.
        if isinstance(record, SuppressionRecord):
            return self._suppress(subscriber, record)
        if record.status.ends_consent:
            return self._unsubscribe(subscriber, record)
        ended = any(consent.has_ended(subscriber, each) for each in (Target.of(record.topic), ALL))
        if ended or subscriber.erased_at is not None:
            return "kept"
        return self._add(subscriber, record)

    def _add(self, subscriber: Subscriber, record: PreferenceRecord) -> str:
        at = record.changed_at or record.consent_at or self.now
        wording = record.consent_wording or None
        context = self._context(at, record.changed_by, record.stated_source)
        context = replace(context, wording=wording)
        ends = record.status.ends_consent
        status = Status.UNSUBSCRIBED if ends else Status(record.status.value)
        subscription = consent.new_subscription(subscriber, record.topic, status, context)
        _describe(subscription, record, ledger.record_wording(self.session, wording))
        result = consent.record_subscription(self.session, subscriber, subscription, context)
        return "added" if result.changed else "unchanged"

    def _unsubscribe(self, subscriber: Subscriber, record: PreferenceRecord) -> str:
        if _repeats_suppression(subscriber, record):
            return "unchanged"
        context = self._context(record.changed_at, record.changed_by, record.stated_source)
        changed = False
        if record.status in _TARGETS or not record.topic:
            changed = self._end(subscriber, _TARGETS.get(record.status, ALL), context)
        if record.topic in subscriber.subscriptions:
            changed |= self._end(subscriber, Target.of(record.topic), context)
        elif record.topic and subscriber.erased_at is None:
            changed |= self._add(subscriber, record) == "added"
        return "unsubscribed" if changed else "unchanged"

    def _suppress(self, subscriber: Subscriber, record: SuppressionRecord) -> str:
        context = self._context(record.since, record.source, record.stated_source)
        changed = self._end(subscriber, record.target, context)
        if record.erased_at is not None and subscriber.erased_at is None:
            context = replace(context, occurred_at=record.erased_at)
            self.erased_domains.add(erasure.forget(self.session, subscriber, context))
            return "erased"
        return "unsubscribed" if changed else "unchanged"

    def _end(self, subscriber: Subscriber, target: Target, context: ChangeContext) -> bool:
        return consent.end_consent(self.session, subscriber, target, context).changed

    def _context(
        self, at: datetime | None, original_source: Source, stated_source: str
    ) -> ChangeContext:
        return ChangeContext(
            Source.IMPORT,
            at or self.now,
            self.now,
            original_source=original_source,
            stated_source=stated_source,
        )


_TARGETS: Mapping[ImportStatus, Target] = {
    ImportStatus.BOUNCED: ADDRESS,
    ImportStatus.COMPLAINED: ALL,
}


def _repeats_suppression(subscriber: Subscriber, record: PreferenceRecord) -> bool:
    """Return True if a row only repeats a suppression, as `export` writes it for each topic.

    The subscription must not change then: undo of the suppression restores it.
    """
    on_record = {(each.since, each.source) for each in subscriber.suppressions.values()}
    is_known = record.topic in subscriber.subscriptions
    return is_known and (record.changed_at, record.changed_by) in on_record


def add_missing_details(subscriber: Subscriber, record: Record) -> None:
    """Record an address and a language that are not on record yet, unless the person is erased."""
    erases = isinstance(record, SuppressionRecord) and record.erased_at is not None
    if erases or subscriber.erased_at is not None:
        return
    email = record.identity.email
    if subscriber.email is None and email is not None and is_mailable(email):
        subscriber.email = email
    if subscriber.locale is None and isinstance(record, PreferenceRecord):
        subscriber.locale = record.locale


def _describe(subscription: Subscription, record: PreferenceRecord, wording: bytes | None) -> None:
    subscription.frequency = record.frequency
    subscription.paused_until = record.paused_until
    subscription.consent_at = record.consent_at
    subscription.consent_source = record.consent_source
    subscription.consent_wording = wording
    subscription.basis = record.basis
    subscription.acquired_from = record.acquired_from


def update_together(session: Session, subscribers: Iterable[Subscriber]) -> None:
    """Make modified subscribers update the same columns, so that one statement updates them all."""
    for subscriber in filter(session.is_modified, subscribers):
        for column in ("email", "locale", "seq", "head"):
            flag_modified(subscriber, column)
