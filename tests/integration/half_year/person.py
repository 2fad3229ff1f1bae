"""One person of the tally: what they get, what they did, and what an undo puts back.

Worked out from the design alone; it uses nothing of the package.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

ORDER = ("every", "weekly", "monthly")  # each less than the one before
UNDO_DAYS = 30


@dataclass(frozen=True)
class Gets:
    """What one person gets of one topic."""

    status: str
    frequency: str
    paused_until: datetime | None
    since: datetime | None

    def asked(self, act: str, choice: str, at: datetime) -> "Gets":
        """Return what comes after an act: `less` (never more), `cap` or `resume`."""
        if act == "resume":
            going = self.paused_until is None or self.paused_until <= at
            return self if going else replace(self, paused_until=None)
        if act == "cap" or choice in ORDER:
            no_less = ORDER.index(choice) <= ORDER.index(self.frequency)
            return self if act == "less" and no_less else replace(self, frequency=choice)
        until = _pause_ends(choice, at)
        longer = self.paused_until is not None and self.paused_until >= until
        return self if longer else replace(self, paused_until=until)


@dataclass
class Change:
    """What one act changed: what stood before it under each thing that it touched."""

    at: datetime
    before: dict[str, Any]
    stopped_everything: bool
    joined: bool


@dataclass
class Person:
    """Where one person stands, under each topic's slug, `all` and `address`.

    `silence` says of each topic whether it comes to somebody of whom nothing is known.
    """

    silence: Mapping[str, bool]
    stands: dict[str, Any] = field(default_factory=dict)
    erased: bool = False
    said_again: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    undoable: list[int] = field(default_factory=list)  # the changes that were their own, no undo

    def does(self, event: Mapping[str, Any]) -> bool:
        """Do what the log says they did; return whether it changed anything."""
        before, at, act = dict(self.stands), datetime.fromisoformat(event["at"]), event["act"]
        if act == "erase":
            self.stands.setdefault("all", at)
            self.erased, self.undoable = True, []
        elif act == "undo":
            self._undo(int(event["choice"]), at)
        elif act == "bounce" or not self.erased:
            self._do(event, at)
        keys = {*before, *self.stands}
        touched = {key: before.get(key) for key in keys if before.get(key) != self.stands.get(key)}
        if touched:
            self.changes.append(Change(at, touched, act in ("leave all", "bounce"), act == "join"))
            self.said_again -= set(touched)
            if act not in ("undo", "bounce", "erase"):
                self.undoable.append(len(self.changes) - 1)
        return bool(touched)

    def receives(self, topic: str) -> bool:
        """Tell whether mail may come, now or when a pause has ended."""
        if self.erased or {"all", "address"} & self.stands.keys():
            return False
        gets = self.stands.get(topic)
        return self.silence[topic] if gets is None else gets.status == "subscribed"

    def _do(self, event: Mapping[str, Any], at: datetime) -> None:
        act, topic = event["act"], event["topic"]
        said_at = datetime.fromisoformat(event["said_at"])
        if act in ("leave all", "bounce"):
            self._stop_all("all" if act == "leave all" else "address", said_at, at)
        elif act == "leave":
            self._leave(topic, said_at, at)
        elif act == "join":
            self._join(topic, at)
        elif self.receives(topic):
            now = self.stands.get(topic) or Gets("subscribed", "every", None, at)
            new = now.asked(act, event["choice"], at)
            if new != now:
                self.stands[topic] = new

    def _stop_all(self, key: str, said_at: datetime, at: datetime) -> None:
        if key in self.stands:
            self._say_again(key, at)
        self.stands.setdefault(key, said_at)

    def _leave(self, topic: str, said_at: datetime, at: datetime) -> None:
        gets = self.stands.get(topic) or Gets("", "every", None, None)
        if gets.status == "unsubscribed":
            self._say_again(topic, at)
            return
        self.stands[topic] = replace(gets, status="unsubscribed", paused_until=None, since=said_at)

    def _say_again(self, key: str, at: datetime) -> None:
        """Note that a stop was said again; twice within a minute is one press."""
        made = [change.at for change in self.changes if key in change.before]
        if not made or at - made[-1] > timedelta(minutes=1):
            self.said_again.add(key)

    def _join(self, topic: str, at: datetime) -> None:
        """Start a topic by a link newer than any stop; after one of everything, the others end."""
        if self.receives(topic):
            return
        lifted = [self.stands.pop(key, None) for key in ("all", "address")]
        if any(stop is not None for stop in lifted):
            for other in {*self.silence} - {topic}:
                if other not in self.stands or self.stands[other].status != "unsubscribed":
                    self._leave(other, at, at)
        self.stands[topic] = Gets("subscribed", "every", None, at)

    def _undo(self, back: int, at: datetime) -> None:
        """Put back what was, unless something newer was said, or the days are over."""
        if len(self.undoable) < back:
            return
        number = self.undoable[-back]
        change, newer = self.changes[number], self.changes[number + 1 :]
        touched = any(each.before.keys() & change.before.keys() for each in newer)
        stopped = any(each.stopped_everything for each in newer)
        ends_it = change.before.get("all") is not None and any(each.joined for each in newer)
        late = at.date() > (change.at + timedelta(days=UNDO_DAYS)).date()
        if late or touched or stopped or ends_it or self.said_again & change.before.keys():
            return
        for key, value in change.before.items():
            if value is None:
                self.stands.pop(key, None)
            else:
                self.stands[key] = value


def _pause_ends(length: str, at: datetime) -> datetime:
    """Return when a pause is over: two weeks, or some months on the same day or the last."""
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
