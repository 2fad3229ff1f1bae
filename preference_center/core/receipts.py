"""What a receipt tells: what changed, whether it still holds, and until when it can be undone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core import ledger, outbox, preferences, reasons, subscribers, topics, undo
from preference_center.core.errors import (
    UndoNotOfferedError,
    UndoRefusal,
    UndoSupersededError,
    UndoTooLateError,
)
from preference_center.core.outbox import OWN_SOURCES, NetChange
from preference_center.core.preferences import FREQUENCIES, SubscriberPreferences, TopicPreference
from preference_center.core.snapshots import topic_of

State = Literal["standing", "undone", "superseded", "expired", "final"]

_STATE_OF_REFUSAL: dict[type[UndoRefusal], State] = {
    UndoTooLateError: "expired",
    UndoSupersededError: "superseded",
    UndoNotOfferedError: "final",
}


ChangeKind = Literal["left", "back", "joined", "fewer", "more", "paused", "resumed"]


@dataclass(frozen=True)
class ShownChange:
    """One change of one topic, or of everything where `topic` is None.

    `frequency` and `paused_until` are what it came to, `was` the frequency before it.
    """

    kind: ChangeKind
    topic: TopicPreference | None
    at: datetime
    frequency: str = "every"
    was: str = "every"
    paused_until: datetime | None = None


@dataclass(frozen=True)
class ShownReceipt:
    """A receipt as a page or a mail shows it.

    `reason_for` is the ledger row that a reason would answer, None where nobody left; `reason`
    the code that was given.
    """

    changes: list[ShownChange]
    state: State
    undo_until: datetime
    confirming: bool
    standing: SubscriberPreferences
    reason_for: int | None = None
    reason: str | None = None

    @property
    def gives_more(self) -> bool:
        """Return True if more comes of a topic that is still received: that is always told."""
        more = (change.topic for change in self.changes if change.kind in ("more", "resumed"))
        return any(topic is not None and topic.received for topic in more)


def read(
    session: Session, subscriber_id: UUID, first: int, last: int, locale: str, now: datetime
) -> ShownReceipt | None:
    """Return what ledger rows `first` to `last` tell a person; None once they are erased."""
    subscriber = subscribers.find(session, subscriber_id)
    net = outbox.net_changes(session, subscriber_id, first, last)
    telling = _telling(net)
    if subscriber is None or not telling:
        return None
    standing = preferences.read(subscriber, topics.list_topics(session), locale, now)
    changes = [each for change in telling for each in _shown(change, standing)]
    state: State
    try:
        undone = undo.is_undone(session, subscriber, first, last, now)
        # Who came back and left again is not "as before": that was said by an older receipt.
        back = changes[0].kind == "back"
        state = "standing" if not undone else "superseded" if back else "undone"
    except UndoRefusal as refusal:
        state = _STATE_OF_REFUSAL[type(refusal)]
    undo_until = undo.undo_until(max(change.at for change in changes))
    confirming = outbox.has_pending(session, subscriber_id, last)
    answers = _row_left(session, subscriber_id, first, last) if _has_left(changes) else None
    reason = reasons.get(session, subscriber_id, answers) if answers is not None else None
    return ShownReceipt(changes, state, undo_until, confirming, standing, answers, reason)


def _has_left(changes: list[ShownChange]) -> bool:
    return any(change.kind == "left" for change in changes)


def _row_left(session: Session, subscriber_id: UUID, first: int, last: int) -> int | None:
    rows = (change.row for change in ledger.changes(session, subscriber_id, first))
    own = (row for row in rows if row.seq <= last and row.source in OWN_SOURCES)
    return max((row.seq for row in own if row.event == "unsubscribed"), default=None)


def _telling(net: list[NetChange]) -> list[NetChange]:
    """Leave out what a person would not notice.

    Under a stop of everything the topics say nothing; and who came back to one topic only has
    not come back to everything, nor left the others a second time.
    """
    of_topics = [change for change in net if topic_of(change.key) is not None]
    of_all = [change for change in net if topic_of(change.key) is None]
    stopped = [change for change in of_all if change.event != "resubscribed"]
    if stopped:
        return stopped[:1]
    return [change for change in of_topics if not of_all or change.event != "stayed_off"]


def _shown(change: NetChange, standing: SubscriberPreferences) -> list[ShownChange]:
    slug = topic_of(change.key)
    if slug is None:
        return [ShownChange("left" if change.after else "back", None, change.occurred_at)]
    before, after = change.before or {}, change.after or {}
    until = after.get("paused_until")
    return [
        ShownChange(
            kind=kind,
            topic=standing.topics[slug],
            at=change.occurred_at,
            frequency=after.get("frequency", "every"),
            was=before.get("frequency", "every"),
            paused_until=datetime.fromisoformat(until) if until else None,
        )
        for kind in _kinds(change, before, after)
    ]


def _kinds(
    change: NetChange, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[ChangeKind]:
    if after.get("status") == "unsubscribed":
        return ["left"]
    if change.event == "undone":
        return ["back"]
    if change.event in ("subscribed", "resubscribed"):
        return ["joined"]
    kinds: list[ChangeKind] = []
    if before.get("paused_until") != after.get("paused_until"):
        kinds.append("paused" if after["paused_until"] else "resumed")
    was, now = (FREQUENCIES.index(each.get("frequency", "every")) for each in (before, after))
    if was != now or not kinds:
        kinds.append("fewer" if now > was else "more")
    return kinds
