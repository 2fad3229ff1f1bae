"""End consent, or record consent that a sender imports. Every channel ends consent through here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy.orm import Session

from preference_center.core import history, ledger, mailings
from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.draft import Change, Draft
from preference_center.core.ledger import LedgerEntry
from preference_center.core.snapshots import find
from preference_center.core.state import Subscriber, Subscription, Suppression
from preference_center.core.vocab import Event, Frequency, Scope, Source, Status

DOUBLE_PRESS = timedelta(minutes=1)
_REPORTS = {Source.COMPLAINT, Source.BOUNCE}  # Facts, which no newer choice supersedes.
_ASKED_EACH_TIME = {Source.PAGE, Source.CONSOLE}  # No program repeats what a person has asked for.
CLOCK_DIFFERENCE = timedelta(minutes=1)  # The clocks of two machines may differ by so much.


@dataclass(frozen=True)
class Unsubscribe(Change[ChangeResult]):
    """An unsubscribe, for `apply`."""

    target: Target
    context: ChangeContext

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.target.topic,) if self.target.topic is not None else ()

    def first_row(self, subscriber: Subscriber) -> int | None:
        return first_row_to_end(subscriber, [self.target], self.context)

    def make(self, draft: Draft) -> ChangeResult:
        context = mailings.named(draft, self.context, self.target.topic)
        return end_consent(draft, self.target, context)

    @classmethod
    def load(cls, session: Session, made: Sequence[tuple[Self, Draft]], now: datetime) -> None:
        unnamed = [draft for change, draft in made if mailings.is_unnamed(change.context)]
        mailings.load(session, unnamed, now)


def first_row_to_end(
    subscriber: Subscriber, targets: Iterable[Target], context: ChangeContext
) -> int | None:
    """Return the first ledger row that `end_consent` needs for these targets, or None."""
    late = context.occurred_at < context.recorded_at
    if subscriber.seq and (late or any(has_ended(subscriber, each) for each in targets)):
        return ledger.first_row_looked_back(subscriber.seq)
    return None


def end_consent(draft: Draft, target: Target, context: ChangeContext) -> ChangeResult:
    """End consent to one topic, to all topics (also later ones) or to any email at all.

    A repeat succeeds: it keeps the original time, adds no ledger row and sends no email. If it
    weighs more than the unsubscribe on record, it replaces the source on record and adds a ledger
    row. A change that arrives late is superseded by the subscriber's newer choice.
    """
    subscriber = draft.subscriber
    if subscriber.erased_at is not None and target.topic is not None:
        return draft.unchanged()  # All consent has ended, and no new data may be stored.
    existing = find(subscriber, target)
    if existing is not None and _has_ended(existing):
        if weighs_more(context, target.scope, existing.source):
            _replace_source(draft, existing, target, context)
        else:
            _record_repeat(draft, existing, target, context)
        return draft.unchanged()
    if _is_superseded(draft, context, target.topic):
        return draft.unchanged()
    before = draft.capture(target)
    if target.topic is not None:
        end_topic(subscriber, target.topic, context)
    else:
        _suppress(subscriber, target.scope, context)
    return draft.record(Event.UNSUBSCRIBED, target, context, before)


def has_ended(subscriber: Subscriber, target: Target) -> bool:
    """Return True if exactly this target is on record as unsubscribed."""
    existing = find(subscriber, target)
    return existing is not None and _has_ended(existing)


def record_subscription(
    draft: Draft, subscription: Subscription, context: ChangeContext
) -> ChangeResult:
    """Add a subscription that a sender imports; it changes no choice that is on record already.

    The one exception: an unconfirmed subscription can become a subscribed one.
    """
    subscriber = draft.subscriber
    known = subscriber.subscriptions.get(subscription.topic)
    confirms = known is not None and (known.status, subscription.status) == (
        Status.UNCONFIRMED,
        Status.SUBSCRIBED,
    )
    if known is not None and not confirms:
        return draft.unchanged()
    ends = subscription.status is Status.UNSUBSCRIBED
    if ends and _is_superseded(draft, context, subscription.topic):
        return draft.unchanged()
    target = Target.of(subscription.topic)
    before = draft.capture(target)
    subscriber.subscriptions[subscription.topic] = subscription
    return draft.record(Event(subscription.status), target, context, before)


def weighs_more(context: ChangeContext, scope: Scope, made_by: Source) -> bool:
    """Return True if a repeat is harder to lift than an unsubscribe with the source `made_by`.

    After a complaint no page can start a topic, even one that was unsubscribed from before. A
    confirm link can lift a suppression of the address by a bounce, but not one by the sender.
    """
    source = context.effective_source
    if source is Source.COMPLAINT:
        return made_by is not Source.COMPLAINT
    bounced = made_by is Source.BOUNCE
    return scope is Scope.ADDRESS and bounced and source is not Source.BOUNCE


def _has_ended(existing: Subscription | Suppression) -> bool:
    return isinstance(existing, Suppression) or existing.status is Status.UNSUBSCRIBED


def _replace_source(
    draft: Draft, existing: Subscription | Suppression, target: Target, context: ChangeContext
) -> None:
    """Replace the source of an unsubscribe by one that weighs more. No email is sent."""
    before = draft.capture(target)
    existing.source = context.effective_source
    existing.repeated_at = existing.updated_at = context.recorded_at
    draft.record(Event.UNSUBSCRIBED, target, replace(context, notice_delay=None), before)


def _record_repeat(
    draft: Draft, existing: Subscription | Suppression, target: Target, context: ChangeContext
) -> None:
    """Note that an unsubscribe was repeated, so that undoing the first one does not lift it.

    A double press, a provider that posts again, or an import of our own export is not a repeat. A
    further complaint or bounce is one.
    """
    since = existing.since if isinstance(existing, Suppression) else existing.changed_at
    imported = (context.occurred_at, context.original_source)
    if context.source is Source.IMPORT and imported == (since, existing.source):
        return
    made = ledger.last_of(draft.entries, target)
    if made is None or not _is_the_same(made, context):
        existing.repeated_at = context.recorded_at


def _is_the_same(made: LedgerEntry, context: ChangeContext) -> bool:
    soon = context.recorded_at - made.recorded_at <= DOUBLE_PRESS
    same = (made.source, made.campaign) == (context.source, context.campaign)
    if context.source in _REPORTS:  # One that is posted again states the same time.
        return same and (soon or context.occurred_at <= made.occurred_at)
    return same and (soon or context.source not in _ASKED_EACH_TIME)


def _is_superseded(draft: Draft, context: ChangeContext, topic: str | None) -> bool:
    """Return True if the subscriber made a newer choice than this late-arriving change.

    Complaints and bounces are never superseded. An undo only cancels the unsubscribe it refers to,
    not an older one that arrives later through an import. If it is uncertain which of the two was
    newer, because two clocks are involved, the unsubscribe counts. A file states times exactly.
    """
    if context.occurred_at >= context.recorded_at:
        return False
    if _REPORTS & {context.source, context.original_source}:
        return False
    rows = history.superseding(ledger.newest_first(draft.entries, topic))
    newest = next(rows, None)
    if newest is None or newest.source is Source.IMPORT:
        return False
    uncertain = timedelta(0) if context.source is Source.IMPORT else CLOCK_DIFFERENCE
    if newest.occurred_at <= context.occurred_at + uncertain:
        return False
    undid = next((row for row in rows if row.event is Event.UNSUBSCRIBED), None)
    if newest.event is Event.UNDONE and undid is not None and context.source is Source.IMPORT:
        return context.occurred_at >= undid.occurred_at
    return newest.event in history.ASKED_FOR_EMAIL


def end_topic(subscriber: Subscriber, topic: str, context: ChangeContext) -> None:
    """Set a subscription to `unsubscribed`, or add one; the caller records the change."""
    subscription = subscriber.subscriptions.get(topic)
    if subscription is None:
        subscription = new_subscription(topic, Status.UNSUBSCRIBED, context)
        subscriber.subscriptions[topic] = subscription
    subscription.status, subscription.paused_until = Status.UNSUBSCRIBED, None
    subscription.source = context.effective_source
    subscription.changed_at = context.occurred_at
    subscription.updated_at, subscription.repeated_at = context.recorded_at, None


def _suppress(subscriber: Subscriber, scope: Scope, context: ChangeContext) -> None:
    subscriber.suppressions[scope] = Suppression(
        kind=scope,
        since=context.occurred_at,
        source=context.effective_source,
        updated_at=context.recorded_at,
    )
    subscriber.mark_updated(context.recorded_at)


def new_subscription(topic: str, status: Status, context: ChangeContext) -> Subscription:
    """Return a subscription with a status, a source, and defaults for the rest."""
    return Subscription(
        topic=topic,
        status=status,
        frequency=Frequency.EVERY,
        paused_until=None,
        changed_at=context.occurred_at,
        source=context.effective_source,
        basis="",
        acquired_from="",
        consent_at=None,
        consent_source="",
        consent_wording=None,
        updated_at=context.recorded_at,
    )
