"""One subscriber in the tally: what they receive, what they did, and what an undo restores.

Derived only from the design; it imports nothing from the package.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

ORDER = ("every", "weekly", "monthly")  # each less than the one before
UNDO_DAYS = 30


@dataclass(frozen=True)
class TopicState:
    """The state of one topic for one subscriber."""

    status: str
    frequency: str
    paused_until: datetime | None
    since: datetime | None

    def after(self, act: str, choice: str, at: datetime) -> "TopicState":
        """Return the state after an act: `less` (never more), `cap` or `resume`."""
        if act == "resume":
            not_paused = self.paused_until is None or self.paused_until <= at
            return self if not_paused else replace(self, paused_until=None)
        if act == "cap" or choice in ORDER:
            no_less = ORDER.index(choice) <= ORDER.index(self.frequency)
            return self if act == "less" and no_less else replace(self, frequency=choice)
        until = _pause_ends(choice, at)
        longer = self.paused_until is not None and self.paused_until >= until
        return self if longer else replace(self, paused_until=until)


@dataclass
class Change:
    """The effect of one act: the previous value of each key that it changed."""

    at: datetime
    before: dict[str, Any]
    suppressed: bool
    joined: bool


@dataclass
class Person:
    """The states of one subscriber by key: each topic's slug, `all` and `address`.

    `allowed_by_default` says for each topic whether unknown people receive it.
    """

    allowed_by_default: Mapping[str, bool]
    states: dict[str, Any] = field(default_factory=dict)
    erased: bool = False
    repeated: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    undoable: list[int] = field(default_factory=list)  # indexes of their own changes, without undos

    def apply(self, event: Mapping[str, Any]) -> bool:
        """Apply a logged act; return whether it changed anything."""
        before, at, act = dict(self.states), datetime.fromisoformat(event["at"]), event["act"]
        if act == "erase":
            self.states.setdefault("all", at)
            self.erased, self.undoable = True, []
        elif act == "undo":
            self._undo(int(event["choice"]), at)
        elif act == "bounce" or not self.erased:
            self._apply(event, at)
        keys = {*before, *self.states}
        touched = {key: before.get(key) for key in keys if before.get(key) != self.states.get(key)}
        if touched:
            self.changes.append(Change(at, touched, act in ("leave all", "bounce"), act == "join"))
            self.repeated -= set(touched)
            if act not in ("undo", "bounce", "erase"):
                self.undoable.append(len(self.changes) - 1)
        return bool(touched)

    def receives(self, topic: str) -> bool:
        """Return whether emails may be sent, now or after a pause."""
        if self.erased or {"all", "address"} & self.states.keys():
            return False
        state = self.states.get(topic)
        return self.allowed_by_default[topic] if state is None else state.status == "subscribed"

    def _apply(self, event: Mapping[str, Any], at: datetime) -> None:
        act, topic = event["act"], event["topic"]
        occurred_at = datetime.fromisoformat(event["occurred_at"])
        if act in ("leave all", "bounce"):
            self._suppress("all" if act == "leave all" else "address", occurred_at, at)
        elif act == "leave":
            self._unsubscribe(topic, occurred_at, at)
        elif act == "join":
            self._join(topic, at)
        elif self.receives(topic):
            now = self.states.get(topic) or TopicState("subscribed", "every", None, at)
            new = now.after(act, event["choice"], at)
            if new != now:
                self.states[topic] = new

    def _suppress(self, key: str, occurred_at: datetime, at: datetime) -> None:
        if key in self.states:
            self._repeat(key, at)
        self.states.setdefault(key, occurred_at)

    def _unsubscribe(self, topic: str, occurred_at: datetime, at: datetime) -> None:
        state = self.states.get(topic) or TopicState("", "every", None, None)
        if state.status == "unsubscribed":
            self._repeat(topic, at)
            return
        self.states[topic] = replace(
            state, status="unsubscribed", paused_until=None, since=occurred_at
        )

    def _repeat(self, key: str, at: datetime) -> None:
        """Record a repeated unsubscribe; two within a minute are one press."""
        made = [change.at for change in self.changes if key in change.before]
        if not made or at - made[-1] > timedelta(minutes=1):
            self.repeated.add(key)

    def _join(self, topic: str, at: datetime) -> None:
        """Subscribe to a topic by a new link. If it removes a suppression, end the other topics."""
        if self.receives(topic):
            return
        removed = [self.states.pop(key, None) for key in ("all", "address")]
        if any(suppression is not None for suppression in removed):
            for other in {*self.allowed_by_default} - {topic}:
                if other not in self.states or self.states[other].status != "unsubscribed":
                    self._unsubscribe(other, at, at)
        self.states[topic] = TopicState("subscribed", "every", None, at)

    def _undo(self, back: int, at: datetime) -> None:
        """Restore the previous values, unless a newer act conflicts or it is too late."""
        if len(self.undoable) < back:
            return
        number = self.undoable[-back]
        change, newer = self.changes[number], self.changes[number + 1 :]
        touched = any(each.before.keys() & change.before.keys() for each in newer)
        suppressed = any(each.suppressed for each in newer)
        joined_since = change.before.get("all") is not None and any(each.joined for each in newer)
        late = at.date() > (change.at + timedelta(days=UNDO_DAYS)).date()
        if late or touched or suppressed or joined_since or self.repeated & change.before.keys():
            return
        for key, value in change.before.items():
            if value is None:
                self.states.pop(key, None)
            else:
                self.states[key] = value


def _pause_ends(length: str, at: datetime) -> datetime:
    """Return the end of a pause: in two weeks, or on the same or the last day of a month."""
    day = at.date()
    if length == "2-weeks":
        return datetime.combine(day + timedelta(weeks=2), time(), UTC)
    month = {"1-month": 1, "3-months": 3}[length] + day.month
    year, month = (day.year + 1, month - 12) if month > 12 else (day.year, month)
    for last in range(day.day, 0, -1):
        try:
            return datetime(year, month, last, tzinfo=UTC)
        except ValueError:
            continue
    raise AssertionError
