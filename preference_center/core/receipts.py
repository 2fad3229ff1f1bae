"""What a receipt tells: what changed, whether it still holds, and until when it can be undone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import outbox, preferences, subscribers, topics, undo
from preference_center.core.errors import (
    UndoNotOfferedError,
    UndoRefusal,
    UndoSupersededError,
    UndoTooLateError,
)
from preference_center.core.preferences import Standing, TopicStanding
from preference_center.core.snapshots import topic_of

State = Literal["standing", "undone", "superseded", "expired", "final"]

_STATE_OF_REFUSAL: dict[type[UndoRefusal], State] = {
    UndoTooLateError: "expired",
    UndoSupersededError: "superseded",
    UndoNotOfferedError: "final",
}


@dataclass(frozen=True)
class ShownChange:
    """One change: `left` or `back`, of one topic, or of everything where `topic` is None."""

    kind: Literal["left", "back"]
    topic: TopicStanding | None
    at: datetime


@dataclass(frozen=True)
class ShownReceipt:
    """A receipt as a page or a mail shows it. `changes` is empty where all cancelled out."""

    changes: list[ShownChange]
    state: State
    undo_until: datetime
    confirming: bool
    standing: Standing


def read(
    session: Session, subscriber_id: UUID, first: int, last: int, locale: str, now: datetime
) -> ShownReceipt | None:
    """Return what ledger rows `first` to `last` tell a person; None once they are erased."""
    subscriber = subscribers.find(session, subscriber_id)
    net = outbox.net_changes(session, subscriber_id, first, last)
    if subscriber is None or not net:
        return None
    standing = preferences.standing(subscriber, topics.everything(session), locale)
    changes = [_shown(change, standing) for change in net]
    state: State
    try:
        undone = undo.is_undone(session, subscriber, first, last, now)
        left = changes[0].kind == "left"
        # Who came back and left again is not "as before": that was said by an older receipt.
        state = "standing" if not undone else "undone" if left else "superseded"
    except UndoRefusal as refusal:
        state = _STATE_OF_REFUSAL[type(refusal)]
    undo_until = undo.undo_until(max(change.at for change in changes))
    confirming = outbox.awaits(session, subscriber_id, last)
    return ShownReceipt(changes, state, undo_until, confirming, standing)


def _shown(change: outbox.NetChange, standing: Standing) -> ShownChange:
    slug = topic_of(change.key)
    if slug is None:
        return ShownChange("left" if change.after else "back", None, change.occurred_at)
    ended = change.after is not None and change.after["status"] == "unsubscribed"
    return ShownChange("left" if ended else "back", standing.topics[slug], change.occurred_at)
