"""The tally: the expected answers and emails, derived only from the design.

    python -m tests.integration.half_year.tally LOG

It imports nothing from the package or its libraries. It reads the log line by line, works out what
each subscriber receives, and compares. Exit status: 0 with the counts, 1 with the first errors.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.integration.half_year.person import Person, TopicState

GAPS = {
    "weekly": timedelta(days=6, hours=12),
    "monthly": timedelta(days=27, hours=12),
}
# An email that was claimed, lost in a crash and checked again counts from its first claim.
MAX_RETRY_DELAY = timedelta(hours=8)


class Tally:
    """All subscribers, all emails that were claimed or sent, and the errors found."""

    def __init__(self) -> None:
        self.allowed_by_default: dict[str, bool] = {}
        self.periods: dict[str, timedelta] = {}  # of topics with a regular cadence
        self.on_record: set[int] = set()
        self.start = datetime.min.replace(tzinfo=UTC)
        self.people = defaultdict[int, Person](lambda: Person(self.allowed_by_default))
        self.claims: dict[tuple[int, str], dict[str, datetime]] = defaultdict(dict)
        self.sent: dict[tuple[int, str], list[tuple[datetime, str]]] = defaultdict(list)
        self.due: dict[tuple[str, int], dict[int, bool]] = defaultdict(dict)
        self.received: dict[tuple[str, int], set[int]] = defaultdict(set)
        self.counts: Counter[str] = Counter()
        self.shortest: dict[str, timedelta] = {}  # time between two emails, by cap
        self.errors: list[str] = []

    def process(self, lines: Iterable[str]) -> None:
        """Process the lines of the log."""
        for line in lines:
            event = json.loads(line)
            getattr(self, "_" + event["do"].replace(" ", "_"))(event)
        for (topic, period), people in self.due.items():
            for number in (number for number, due in people.items() if due):
                self.counts["regular letters due"] += 1
                if number not in self.received[topic, period]:
                    self._add_error(f"person {number} never received {topic} number {period}")

    def _add_error(self, text: str) -> None:
        self.errors.append(text)

    def _period(self, topic: str, at: datetime) -> int:
        return (at - self.start) // self.periods[topic]

    def _topic(self, event: dict[str, Any]) -> None:
        self.allowed_by_default[event["slug"]] = event["policy"] == "opt_out"
        self.start = _time(event["start"])
        if event["period_days"] is not None:
            self.periods[event["slug"]] = timedelta(days=event["period_days"])

    def _begins(self, event: dict[str, Any]) -> None:
        person, at = self.people[event["person"]], _time(event["at"])
        until = event["paused_until"] and _time(event["paused_until"])
        status = event["status"]
        if status == "bounced":
            person.states.setdefault("address", at)
            status = "unsubscribed"
        person.states[event["topic"]] = TopicState(status, event["frequency"], until, at)
        self.on_record.add(event["person"])

    def _act(self, event: dict[str, Any]) -> None:
        changed = self.people[event["person"]].apply(event)
        self.on_record.add(event["person"])
        self.counts[f"changed by {event['act']}"] += changed
        if event["act"] != "erase" and event["changed"] != changed:
            self._add_error(f"{event}: changed should be {changed}")

    def _checked(self, event: dict[str, Any]) -> None:
        at = _time(event["at"])
        answers = event["answers"]  # shorter than `people` if the mailing crashed
        for place, number in enumerate(event["people"]):
            expected = self._answer(number, event["topic"], event["campaign"], at)
            self.counts[" ".join(expected.split()[:2])] += 1
            if place < len(answers):
                self._compare(event, number, answers[place], expected)
            self._record_check(number, event, at, claimed=expected == "allow")

    def _checked_at_once(self, event: dict[str, Any]) -> None:
        """Compare two concurrent mailings: a cap allows only one of them."""
        one, two = event["checks"]
        at, topic, other = _time(one["at"]), one["topic"], dict(_answers(two))
        for number, answer in _answers(one):
            both = [answer, other[number]]
            expected = [self._answer(number, topic, each["campaign"], at) for each in (one, two)]
            gap = self._gap(number, topic)
            if expected == ["allow", "allow"] and gap and one["campaign"] != two["campaign"]:
                self.counts["people in two concurrent mailings"] += 1
                expected = ["allow", f"defer frequency {(at + gap).isoformat()}"]
            self._compare(event["checks"][0], number, sorted(both), sorted(expected))
            for each, answer in zip((one, two), both, strict=True):
                self._record_check(number, each, at, claimed=answer == "allow")

    def _compare(self, event: dict[str, Any], number: int, actual: Any, expected: Any) -> None:
        self.counts["answers"] += 1
        if actual != expected:
            where = f"{event['campaign']} at {event['at']}"
            self._add_error(f"{where}: person {number} was answered {actual}, not {expected}")

    def _record_check(
        self, number: int, event: dict[str, Any], at: datetime, *, claimed: bool
    ) -> None:
        topic = event["topic"]
        if claimed:
            self.claims[number, topic].setdefault(event["campaign"], at)
            self.on_record.add(number)
        if topic in self.periods:
            due = self.due[topic, self._period(topic, at)]
            due[number] = due.get(number, True) and self._is_due(number, topic, at)

    def _is_due(self, number: int, topic: str, at: datetime) -> bool:
        """Return whether a regular letter must reach the subscriber who is checked now."""
        state = self.people[number].states.get(topic)
        if not self.people[number].receives(topic) or state is None:
            return False
        paused = state.paused_until is not None and state.paused_until > at
        return not paused and GAPS.get(state.frequency, timedelta()) < self.periods[topic]

    def _answer(self, number: int, topic: str, campaign: str, at: datetime) -> str:
        person = self.people[number]
        if person.erased:
            return "deny erased"
        if {"all", "address"} & person.states.keys():
            return "deny suppressed"
        state = person.states.get(topic)
        if state is None:
            why = "not_subscribed" if number in self.on_record else "unknown"
            return "allow" if self.allowed_by_default[topic] else f"deny {why}"
        if state.status != "subscribed":
            return f"deny {state.status}"
        if state.paused_until is not None and state.paused_until > at:
            return f"defer paused {state.paused_until.isoformat()}"
        others = (
            claimed for name, claimed in self.claims[number, topic].items() if name != campaign
        )
        last, gap = max(others, default=None), self._gap(number, topic)
        if last is not None and gap is not None and last + gap > at:
            return f"defer frequency {(last + gap).isoformat()}"
        return "allow"

    def _gap(self, number: int, topic: str) -> timedelta | None:
        state = self.people[number].states.get(topic)
        return GAPS.get(state.frequency) if state is not None else None

    def _released(self, event: dict[str, Any]) -> None:
        held = [self.claims[number, event["topic"]] for number in event["people"]]
        released = sum(each.pop(event["campaign"], None) is not None for each in held)
        self.counts["claims released"] += released
        if released != event["released_count"]:
            self._add_error(
                f"{event['campaign']}: {event['released_count']} released, not {released}"
            )

    def _sent(self, event: dict[str, Any]) -> None:
        """Check only the emails: none may break an unsubscribe, a pause or a cap."""
        at, topic = _time(event["at"]), event["topic"]
        if topic in self.periods:
            self.received[topic, self._period(topic, at)].update(event["people"])
        for number in event["people"]:
            self.counts["emails sent"] += 1
            person, emails = self.people[number], self.sent[number, topic]
            state = person.states.get(topic)
            label = f"{event['campaign']}: person {number}"
            if not person.receives(topic):
                self._add_error(f"{label} was emailed after unsubscribing")
            if state is not None and state.paused_until is not None and state.paused_until > at:
                self._add_error(f"{label} was emailed during a pause")
            if any(campaign == event["campaign"] for _, campaign in emails):
                self._add_error(f"{label} was emailed twice")
            if state is not None and state.frequency in GAPS and emails:
                self._check_gap(state.frequency, at - emails[-1][0], label)
            emails.append((at, event["campaign"]))

    def _check_gap(self, frequency: str, apart: timedelta, label: str) -> None:
        self.shortest[frequency] = min(apart, self.shortest.get(frequency, apart))
        if apart < GAPS[frequency] - MAX_RETRY_DELAY:
            self._add_error(f"{label} was emailed {apart} after the previous email")


def _answers(check: dict[str, Any]) -> Iterable[tuple[int, str]]:
    return zip(check["people"], check["answers"], strict=True)


@lru_cache(maxsize=100_000)
def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def main(log: str) -> int:
    """Process a log; print the counts and the first errors."""
    tally = Tally()
    with Path(log).open(encoding="utf-8") as lines:
        tally.process(lines)
    foreign = [name for name in sys.modules if name.partition(".")[0] == "preference_center"]
    assert not foreign, foreign
    shortest = {f"shortest, {cap}": str(apart) for cap, apart in tally.shortest.items()}
    found = {"errors": len(tally.errors), "first": tally.errors[:20], **tally.counts, **shortest}
    json.dump(found, sys.stdout)
    return 1 if tally.errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
