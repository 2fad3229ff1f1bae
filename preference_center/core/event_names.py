"""The name under which the feed and webhooks announce a ledger row."""

from collections.abc import Mapping
from typing import Any

from preference_center.core.api_vocab import EventName
from preference_center.core.change import Target
from preference_center.core.snapshots import Snapshot
from preference_center.core.vocab import Event, Scope, Status

_OF_TOPICS: Mapping[Event, EventName] = {
    Event.SUBSCRIBED: EventName.TOPIC_STARTED,
    Event.RESUBSCRIBED: EventName.TOPIC_STARTED,
    Event.UNSUBSCRIBED: EventName.TOPIC_STOPPED,
    Event.STAYED_OFF: EventName.TOPIC_STOPPED,
    Event.REDUCED: EventName.TOPIC_CHANGED,
    Event.INCREASED: EventName.TOPIC_CHANGED,
    Event.PAUSED: EventName.TOPIC_CHANGED,
    Event.RESUMED: EventName.TOPIC_CHANGED,
}
_STOPPED = {Scope.ALL: EventName.ALL_STOPPED, Scope.ADDRESS: EventName.ADDRESS_STOPPED}


def name_of(event: Event, target: Target, before: Snapshot, after: Snapshot) -> EventName:
    """Return the name of a ledger row, given its target and what it records."""
    if event is Event.ERASED:
        return EventName.SUBSCRIBER_ERASING
    was, became = before[target.key], after[target.key]
    if target.scope is not Scope.TOPIC:
        return _STOPPED[target.scope] if became is not None else EventName.STOP_LIFTED
    # An undo, or an import of a topic as not confirmed, may start a topic or stop it.
    return _OF_TOPICS.get(event) or _compared(was, became)


def _compared(was: Any, became: Any) -> EventName:
    received, receives = (_is_subscribed(each) for each in (was, became))
    if received == receives:
        return EventName.TOPIC_CHANGED
    return EventName.TOPIC_STARTED if receives else EventName.TOPIC_STOPPED


def _is_subscribed(value: Mapping[str, Any] | None) -> bool:
    return value is not None and value["status"] == Status.SUBSCRIBED
