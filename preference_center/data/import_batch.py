"""What one record of an import changes, as a change for `core.apply`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from preference_center.core import consent, erasure, ledger
from preference_center.core.change import ADDRESS, ALL, ChangeContext, Target
from preference_center.core.draft import Change, Draft
from preference_center.core.state import EXPLICIT_BEFORE, Subscriber, Subscription
from preference_center.core.vocab import ImportStatus, Source, Status
from preference_center.data.import_records import (
    AddressRecord,
    PreferenceRecord,
    Record,
    SuppressionRecord,
)
from preference_center.links.addresses import is_mailable


@dataclass(frozen=True)
class Imported:
    """What a record did: the name of a count of `Import.run`, and if it added the subscriber."""

    effect: str
    is_new: bool


@dataclass(frozen=True)
class ImportRecord(Change[Imported]):
    """One record; with `adds_details`, also the address and the language that it has."""

    record: Record
    now: datetime
    adds_details: bool = True

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.record.topic,) if self.record.topic else ()

    def first_row(self, subscriber: Subscriber) -> int | None:
        if subscriber.seq and self.record.ends_consent:
            return ledger.first_row_looked_back(subscriber.seq)
        return None

    def make(self, draft: Draft) -> Imported:
        is_new, record = not draft.is_on_record, self.record
        if is_new:
            draft.subscriber.is_spelling = record.identity.is_spelling
        if self.adds_details:
            _add_missing_details(draft.subscriber, record)
        if isinstance(record, AddressRecord):
            return Imported("known" if is_new else "unchanged", is_new)
        if draft.subscriber.erased_at is not None:
            record = replace(record, stated_source="")  # Keep no new data about them.
        effect = self._apply(draft, record)
        if isinstance(record, PreferenceRecord) and record.silence_means_no:
            draft.subscriber.note_silence(EXPLICIT_BEFORE)
        return Imported(effect, is_new)

    def _apply(self, draft: Draft, record: PreferenceRecord | SuppressionRecord) -> str:
        if isinstance(record, SuppressionRecord):
            return self._suppress(draft, record)
        if record.status.ends_consent:
            return self._unsubscribe(draft, record)
        subscriber = draft.subscriber
        ended = any(consent.has_ended(subscriber, each) for each in (Target.of(record.topic), ALL))
        if ended or subscriber.erased_at is not None:
            return "kept"
        return self._add(draft, record)

    def _add(self, draft: Draft, record: PreferenceRecord) -> str:
        at = record.changed_at or record.consent_at or self.now
        wording = record.consent_wording or None
        context = self._context(at, record.changed_by, record.stated_source, wording)
        ends = record.status.ends_consent
        status = Status.UNSUBSCRIBED if ends else Status(record.status.value)
        subscription = consent.new_subscription(record.topic, status, context)
        _add_fields(subscription, record)
        result = consent.record_subscription(draft, subscription, context)
        return "added" if result.changed else "unchanged"

    def _unsubscribe(self, draft: Draft, record: PreferenceRecord) -> str:
        subscriber = draft.subscriber
        if _repeats_suppression(subscriber, record):
            return "unchanged"
        context = self._context(record.changed_at, record.changed_by, record.stated_source)
        changed = False
        if record.status in _TARGETS or not record.topic:
            changed = _end(draft, _TARGETS.get(record.status, ALL), context)
        if record.topic in subscriber.subscriptions:
            changed |= _end(draft, Target.of(record.topic), context)
        elif record.topic and subscriber.erased_at is None:
            changed |= self._add(draft, record) == "added"
        return "unsubscribed" if changed else "unchanged"

    def _suppress(self, draft: Draft, record: SuppressionRecord) -> str:
        context = self._context(record.since, record.source, record.stated_source)
        changed = _end(draft, record.target, context)
        if record.erased_at is not None and draft.subscriber.erased_at is None:
            erasure.forget(draft, replace(context, occurred_at=record.erased_at))
            return "erased"
        return "unsubscribed" if changed else "unchanged"

    def _context(
        self,
        at: datetime | None,
        original_source: Source,
        stated_source: str,
        wording: str | None = None,
    ) -> ChangeContext:
        return ChangeContext(
            Source.IMPORT,
            at or self.now,
            self.now,
            wording=wording,
            original_source=original_source,
            stated_source=stated_source,
        )


_TARGETS: Mapping[ImportStatus, Target] = {
    ImportStatus.BOUNCED: ADDRESS,
    ImportStatus.COMPLAINED: ALL,
}


def _end(draft: Draft, target: Target, context: ChangeContext) -> bool:
    return consent.end_consent(draft, target, context).changed


def _repeats_suppression(subscriber: Subscriber, record: PreferenceRecord) -> bool:
    """Return True if a row only repeats a suppression, as `export` writes it for each topic.

    The subscription must not change then: undo of the suppression restores it.
    """
    target = _TARGETS.get(record.status)  # A bounce ends more than another suppression.
    on_record = {
        (each.since, each.source)
        for scope, each in subscriber.suppressions.items()
        if target is None or scope is target.scope
    }
    is_known = record.topic in subscriber.subscriptions
    return is_known and (record.changed_at, record.changed_by) in on_record


def _add_missing_details(subscriber: Subscriber, record: Record) -> None:
    """Record an address and a language that are not on record yet, unless the person is erased."""
    erases = isinstance(record, SuppressionRecord) and record.erased_at is not None
    if erases or subscriber.erased_at is not None:
        return
    email = record.identity.email
    if subscriber.email is None and email is not None and is_mailable(email):
        subscriber.email = email
    if subscriber.locale is None and isinstance(record, PreferenceRecord):
        subscriber.locale = record.locale


def _add_fields(subscription: Subscription, record: PreferenceRecord) -> None:
    """Set what a record says about a subscription besides its status."""
    subscription.frequency = record.frequency
    subscription.paused_until = record.paused_until
    subscription.consent_at = record.consent_at
    subscription.consent_source = record.consent_source
    subscription.consent_wording = ledger.digest_of_wording(record.consent_wording)
    subscription.basis = record.basis
    subscription.acquired_from = record.acquired_from
