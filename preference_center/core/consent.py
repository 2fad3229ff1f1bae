"""End consent, and record what a sender brings along: the one way, whichever channel it came through.

State, ledger row and outbox row are written together into the caller's transaction. The caller
holds the subscriber's lock (`subscribers.lock`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import ledger, outbox, subscribers, topics
from preference_center.core.snapshots import capture, copy_values, find, subscription_key
from preference_center.store.tables import LedgerRow, Subscriber, Subscription, Suppression, Topic

Scope = Literal["topic", "all", "address"]
Source = Literal[
    "one-click", "page", "mailto", "complaint", "bounce", "api", "import", "console", "cli"
]

# The ledger's events that say somebody wants mail, and those that only ask for less of it.
_ASKED_FOR_MAIL = {"subscribed", "resubscribed", "increased", "resumed", "undone"}
_ASKED_FOR_LESS = {"reduced", "paused"}
DOUBLE_PRESS = timedelta(minutes=1)


@dataclass(frozen=True)
class ChangeContext:
    """How a change came in: the channel, the campaign it answers, when it was done and recorded.

    `confirm_after` is how long its confirmation waits for more changes; None sends none. `told`
    is the channel that an import names for a change it brings along. `language` is what the person
    read in, where that is not what everybody gets: their mails will be in it. `in_reply_to` is the
    Message-ID of the email that did it. `stated_source` is how an unsubscribe came about, in the
    words of the file that brought it: the ledger's details keep it.
    """

    source: Source
    occurred_at: datetime
    recorded_at: datetime
    campaign: str | None = None
    wording: str | None = None
    notice_delay: timedelta | None = None
    original_source: str | None = None
    language: str | None = None
    in_reply_to: str | None = None
    stated_source: str = ""


@dataclass(frozen=True)
class ChangeResult:
    """Whether anything changed, and then the ledger rows `first` to `seq` that hold it."""

    changed: bool
    first_seq: int
    last_seq: int


def leave(
    session: Session, subscriber_id: UUID, slug: str | None, context: ChangeContext
) -> ChangeResult:
    """End one person's consent to a topic, or to everything where `slug` is None.

    A topic that is new here is made: whoever holds a good link can leave.
    """
    # Topics before people, everywhere: two that wait for each other would be refused.
    topic = topics.get_or_create(session, slug, context.recorded_at) if slug is not None else None
    subscriber = subscribers.lock(session, subscriber_id, context.recorded_at)
    scope: Scope = "topic" if topic is not None else "all"
    return end_consent(session, subscriber, scope, context, topic)


def end_consent(
    session: Session,
    subscriber: Subscriber,
    scope: Scope,
    context: ChangeContext,
    topic: Topic | None = None,
) -> ChangeResult:
    """End consent to one topic, to all of them (also those to come) or to any mail at all.

    A repeat succeeds: it keeps the first time, adds no ledger row and sends no mail. Only where it
    weighs more than what made the stop does it take that one's place, with a ledger row. An act
    that arrives late yields to a newer choice of the person's own.
    """
    slug = topic.slug if topic is not None else None
    key = subscription_key(slug) if slug is not None else scope
    if subscriber.erased_at is not None and slug is not None:
        return unchanged(subscriber)  # all is stopped for good, and nothing may gather again
    standing = find(subscriber, key)
    if isinstance(standing, Suppression) or (standing and standing.status == "unsubscribed"):
        if subscriber.erased_at is None and weighs_more(context, scope, standing.source):
            _take_over(session, subscriber, standing, scope, topic, context)
        else:
            _record_repeat(session, standing, scope, slug, context)
        return unchanged(subscriber)
    if _is_overtaken(session, subscriber, context, slug):
        return unchanged(subscriber)
    before = capture(subscriber, [key])
    if slug is not None:
        end_topic(subscriber, slug, context)
    else:
        _suppress(subscriber, scope, context)
    return record(session, subscriber, "unsubscribed", scope, topic, context, before)


def record_subscription(
    session: Session,
    subscriber: Subscriber,
    topic: Topic,
    subscription: Subscription,
    context: ChangeContext,
) -> ChangeResult:
    """Add what a sender brings along; it changes no choice that is on record already.

    Only somebody `unconfirmed` so far becomes `subscribed`.
    """
    known = subscriber.subscriptions.get(topic.slug)
    confirms = known is not None and (known.status, subscription.status) == (
        "unconfirmed",
        "subscribed",
    )
    if known is not None and not confirms:
        return unchanged(subscriber)
    ends = subscription.status == "unsubscribed"
    if ends and _is_overtaken(session, subscriber, context, topic.slug):
        return unchanged(subscriber)
    before = capture(subscriber, [subscription_key(topic.slug)])
    if known is not None:
        copy_values(subscription, known)
    else:
        subscriber.subscriptions[topic.slug] = subscription
    return record(session, subscriber, subscription.status, "topic", topic, context, before)


def weighs_more(context: ChangeContext, scope: Scope, made_by: str) -> bool:
    """Return True if a repeat is harder to lift than a stop with the source `made_by`.

    After a complaint no page starts a topic, even if it had been left before. A bounce's stop of
    the address can be lifted by a confirm link; the sender's own cannot.
    """
    source = context.original_source or context.source
    if source == "complaint":
        return made_by != "complaint"
    return scope == "address" and made_by == "bounce" and source != "bounce"


def _take_over(
    session: Session,
    subscriber: Subscriber,
    standing: Subscription | Suppression,
    scope: Scope,
    topic: Topic | None,
    context: ChangeContext,
) -> None:
    """Let a stop count as made by `act` from now on; it keeps its first time. No email is sent."""
    before = capture(subscriber, [subscription_key(topic.slug) if topic is not None else scope])
    standing.source = context.original_source or context.source
    standing.repeated_at = standing.updated_at = context.recorded_at
    quiet = replace(context, notice_delay=None)
    record(session, subscriber, "unsubscribed", scope, topic, quiet, before)


def _record_repeat(
    session: Session,
    standing: Subscription | Suppression,
    scope: Scope,
    slug: str | None,
    context: ChangeContext,
) -> None:
    """Note that a stop was said again, so that undoing the first one cannot lift it.

    Not so a double press, a provider that posts again, or an import of our own export.
    """
    since = standing.since if isinstance(standing, Suppression) else standing.changed_at
    if context.source == "import" and (context.occurred_at, context.original_source) == (
        since,
        standing.source,
    ):
        return
    made = ledger.last_of(session, standing.subscriber_id, scope, slug)
    if made is None or not _is_the_same_act(made, context):
        standing.repeated_at = context.recorded_at


def _is_the_same_act(made: LedgerRow, context: ChangeContext) -> bool:
    soon = context.source != "page" or context.recorded_at - made.recorded_at <= DOUBLE_PRESS
    return soon and (made.source, made.campaign) == (context.source, context.campaign)


def _is_overtaken(
    session: Session, subscriber: Subscriber, context: ChangeContext, slug: str | None
) -> bool:
    """Tell whether the person chose anew after an act that arrives late.

    A complaint or a bounce yields to nothing. An undo says "as it was before that stop", so it
    does not answer a still older one that an import brings along.
    """
    late = context.occurred_at < context.recorded_at and subscriber.seq > 0
    if not late or {context.source, context.original_source} & {"complaint", "bounce"}:
        return False
    rows = ledger.touching(session, subscriber.subscriber_id, slug)
    later = list(_answers(rows))
    chosen = later[0] if later else None
    if chosen is None or chosen.source == "import" or chosen.occurred_at <= context.occurred_at:
        return False
    undid = next((row for row in later[1:] if row.event == "unsubscribed"), None)
    if chosen.event == "undone" and undid is not None and context.source == "import":
        return context.occurred_at >= undid.occurred_at
    return chosen.event in _ASKED_FOR_MAIL


def _answers(rows: Iterable[LedgerRow]) -> Iterator[LedgerRow]:
    """Yield, newest first, what may answer a stop: no wish for less, and nothing taken back."""
    undone: list[LedgerRow] = []
    for row in rows:
        if row.event == "undone":
            undone.append(row)
        elif undone:
            undoing = undone.pop()
            if row.event == "unsubscribed":
                yield from (undoing, row)
        elif row.event not in _ASKED_FOR_LESS:
            yield row


def end_topic(subscriber: Subscriber, slug: str, context: ChangeContext) -> None:
    """Make a subscription say `unsubscribed`; the caller records it."""
    subscription = subscriber.subscriptions.get(slug)
    if subscription is None:
        subscription = new_subscription(subscriber, slug, "unsubscribed", context)
        subscriber.subscriptions[slug] = subscription
    subscription.status, subscription.paused_until = "unsubscribed", None
    subscription.source = context.original_source or context.source
    subscription.changed_at = context.occurred_at
    subscription.updated_at, subscription.repeated_at = context.recorded_at, None


def _suppress(subscriber: Subscriber, kind: str, context: ChangeContext) -> None:
    subscriber.suppressions[kind] = Suppression(
        subscriber_id=subscriber.subscriber_id,
        kind=kind,
        since=context.occurred_at,
        source=context.original_source or context.source,
        updated_at=context.recorded_at,
    )
    for subscription in subscriber.subscriptions.values():
        subscription.updated_at = context.recorded_at


def new_subscription(
    subscriber: Subscriber, slug: str, status: str, context: ChangeContext
) -> Subscription:
    """Return a subscription that says nothing but its status and how it came about."""
    return Subscription(
        subscriber_id=subscriber.subscriber_id,
        topic=slug,
        status=status,
        frequency="every",
        changed_at=context.occurred_at,
        source=context.original_source or context.source,
        basis="",
        acquired_from="",
        consent_source="",
        updated_at=context.recorded_at,
    )


def record(
    session: Session,
    subscriber: Subscriber,
    event: str,
    scope: str,
    topic: Topic | None,
    context: ChangeContext,
    before: dict[str, Any],
) -> ChangeResult:
    """Write the ledger row of a change that was just made, and the mail that tells of it."""
    slug = topic.slug if topic is not None else None
    entry = ledger.Entry(
        event,
        scope,
        slug,
        context.source,
        context.occurred_at,
        context.recorded_at,
        context.campaign,
        context.wording,
        context.stated_source,
    )
    seq = ledger.append(session, subscriber, entry, before, capture(subscriber, before))
    subscriber.locale = subscriber.locale or context.language
    tell = subscriber.email is not None and (topic is None or topic.confirm)
    if context.notice_delay is not None and tell:
        session.flush()
        outbox.schedule(
            session,
            subscriber.subscriber_id,
            seq,
            context.recorded_at,
            context.notice_delay,
            context.in_reply_to,
        )
    return ChangeResult(changed=True, first_seq=seq, last_seq=seq)


def unchanged(subscriber: Subscriber) -> ChangeResult:
    """Return the outcome of an act that had nothing left to do."""
    return ChangeResult(changed=False, first_seq=subscriber.seq, last_seq=subscriber.seq)
