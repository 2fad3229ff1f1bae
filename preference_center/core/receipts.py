"""What a receipt shows: what changed, whether it still holds, and until when it can be undone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from preference_center.core import (
    history,
    ledger,
    outbox,
    preferences,
    reasons,
    topics,
    undo,
)
from preference_center.core.errors import (
    UndoNotOfferedError,
    UndoRefusal,
    UndoSupersededError,
    UndoTooLateError,
)
from preference_center.core.history import NetChange
from preference_center.core.ledger import LedgerEntry
from preference_center.core.preferences import SubscriberPreferences, TopicPreference
from preference_center.core.state import Subscriber
from preference_center.core.vocab import (
    Event,
    Frequency,
    ReasonCode,
    ReceiptState,
    Status,
)
from preference_center.store.tables import Reason

_SAME_VISIT = timedelta(hours=1)  # Within it, a subscriber is asked once why they leave.

_STATE_OF_REFUSAL: dict[type[UndoRefusal], ReceiptState] = {
    UndoTooLateError: ReceiptState.EXPIRED,
    UndoSupersededError: ReceiptState.SUPERSEDED,
    UndoNotOfferedError: ReceiptState.FINAL,
}


class ChangeKind(StrEnum):
    """What a receipt says about one change."""

    LEFT = "left"
    BACK = "back"
    JOINED = "joined"
    FEWER = "fewer"
    MORE = "more"
    PAUSED = "paused"
    RESUMED = "resumed"


@dataclass(frozen=True)
class ShownChange:
    """One change of one topic, or of all topics if `topic` is None.

    `frequency` and `paused_until` are what the change led to, `was` is the frequency before it.
    """

    kind: ChangeKind
    topic: TopicPreference | None
    at: datetime
    frequency: Frequency = Frequency.EVERY
    was: Frequency = Frequency.EVERY
    paused_until: datetime | None = None


@dataclass(frozen=True)
class ShownReceipt:
    """A receipt as a page or an email shows it.

    `notice_pending` says whether an email about it is still to be sent. `reason_for` is the ledger
    row that a reason would answer. It is None if the subscriber did not leave, or has just given a
    reason for leaving something else. `reason` is the code that was given, and `noted` says whether
    a text was given with it.
    """

    changes: list[ShownChange]
    state: ReceiptState
    undo_until: datetime
    notice_pending: bool
    preferences: SubscriberPreferences
    reason_for: int | None = None
    reason: ReasonCode | None = None
    noted: bool = False

    @property
    def can_restart(self) -> bool:
        """Return True if an emailed confirm link may start a topic again that was left."""
        left = [change.topic for change in self.changes if change.kind is ChangeKind.LEFT]
        everything = self.preferences.topics.values()
        topics = everything if None in left else filter(None, left)
        return any(map(self.preferences.can_start, topics))

    @property
    def gives_more(self) -> bool:
        """Return True if the subscriber gets more of a topic. An email always announces that."""
        kinds = (ChangeKind.MORE, ChangeKind.RESUMED)
        more = (change.topic for change in self.changes if change.kind in kinds)
        return any(topic is not None and topic.received for topic in more)


def read(
    session: Session,
    subscriber: Subscriber | None,
    first: int,
    last: int,
    locale: str,
    now: datetime,
    zone: tzinfo,
) -> ShownReceipt | None:
    """Return what ledger rows `first` to `last` changed, or None once that is erased.

    The last day of undo is a day in `zone`.
    """
    if subscriber is None:
        return None
    entries = ledger.load(session, subscriber.subscriber_id, first)
    own = history.own_choices(entries, last)
    noticed = _most_telling(history.net_changes(own))
    if not noticed:
        return None
    current = preferences.read(subscriber, topics.list_topics(session), locale, now)
    changes = [each for change in noticed for each in _shown(change, current)]
    left = _row_left(own) if any(each.kind is ChangeKind.LEFT for each in changes) else None
    asked, reason = _question(session, subscriber, left)
    return ShownReceipt(
        changes=changes,
        state=_state(entries, subscriber, last, changes[0], now, zone),
        undo_until=undo.undo_until(max(change.at for change in changes), zone),
        notice_pending=outbox.has_pending(session, subscriber.subscriber_id, last),
        preferences=current,
        reason_for=asked,
        reason=reason.code if reason is not None else None,
        noted=reason is not None and bool(reason.note),
    )


def _state(
    entries: Sequence[LedgerEntry],
    subscriber: Subscriber,
    last: int,
    change: ShownChange,
    now: datetime,
    zone: tzinfo,
) -> ReceiptState:
    try:
        before = undo.state_before(entries, subscriber, last, now, zone)
    except UndoRefusal as refusal:
        return _STATE_OF_REFUSAL[type(refusal)]
    if not undo.is_undone(subscriber, before):
        return ReceiptState.ACTIVE
    # A subscriber who re-subscribed and then left again is not back to the state that this
    # receipt describes, nor is one who then left or reduced something else.
    later = entries[-1].seq > last and entries[-1].event in history.ASKED_FOR_LESS
    back = change.kind is ChangeKind.BACK
    return ReceiptState.SUPERSEDED if back or later else ReceiptState.UNDONE


def _row_left(own: Sequence[LedgerEntry]) -> LedgerEntry | None:
    return next((each for each in reversed(own) if each.event is Event.UNSUBSCRIBED), None)


def _question(
    session: Session, subscriber: Subscriber, left: LedgerEntry | None
) -> tuple[int | None, Reason | None]:
    """Return the ledger row that a reason would answer, and the reason that was given for it."""
    if left is None:
        return None, None
    given = reasons.given(session, subscriber.subscriber_id)
    if left.seq in given:
        return left.seq, given[left.seq]
    ages = [left.recorded_at - each.given_at for each in given.values()]
    just_answered = any(timedelta(0) <= age < _SAME_VISIT for age in ages)
    return (None if just_answered else left.seq), None


def _most_telling(net: list[NetChange]) -> list[NetChange]:
    """Leave out changes that follow from another one.

    When everything was unsubscribed, changes of single topics are not shown. When only one topic
    was started again, show that topic, not the removal of the global unsubscribe or the topics
    that stayed off.
    """
    of_topics = [change for change in net if change.target.topic is not None]
    of_all = [change for change in net if change.target.topic is None]
    stopped = [change for change in of_all if change.event is not Event.RESUBSCRIBED]
    if stopped:
        return stopped[:1]
    return [change for change in of_topics if not of_all or change.event is not Event.STAYED_OFF]


def _shown(change: NetChange, current: SubscriberPreferences) -> list[ShownChange]:
    slug = change.target.topic
    if slug is None:
        kind = ChangeKind.LEFT if change.after else ChangeKind.BACK
        return [ShownChange(kind, None, change.occurred_at)]
    before, after = change.before or {}, change.after or {}
    until = after.get("paused_until")
    return [
        ShownChange(
            kind=kind,
            topic=current.topics[slug],
            at=change.occurred_at,
            frequency=_frequency(after),
            was=_frequency(before),
            paused_until=datetime.fromisoformat(until) if until else None,
        )
        for kind in _kinds(change.event, before, after)
    ]


def _kinds(event: Event, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ChangeKind]:
    if after.get("status") == Status.UNSUBSCRIBED:
        return [ChangeKind.LEFT]
    if event is Event.UNDONE:
        return [ChangeKind.BACK]
    if event in history.STARTED:
        return [ChangeKind.JOINED]
    kinds = []
    if before.get("paused_until") != after.get("paused_until"):
        kinds.append(ChangeKind.PAUSED if after["paused_until"] else ChangeKind.RESUMED)
    was, now = _frequency(before), _frequency(after)
    if was is not now or not kinds:
        kinds.append(ChangeKind.FEWER if now.is_less_than(was) else ChangeKind.MORE)
    return kinds


def _frequency(value: Mapping[str, Any]) -> Frequency:
    return Frequency(value.get("frequency", Frequency.EVERY))
