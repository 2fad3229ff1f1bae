"""The tally: what should have been answered and sent, worked out from the design alone.

    python -m tests.integration.half_year.tally LOG

It uses nothing of the package and none of its libraries. It reads what happened, line by line,
works out what each person gets, and compares. Exit status: 0 with what it counted, 1 with the
first differences.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.integration.half_year.person import Gets, Person

GAPS = {
    "weekly": timedelta(days=6, hours=12),
    "monthly": timedelta(days=27, hours=12),
}
# A mail that was claimed, lost in a crash and asked for again counts from its first claim.
MAX_UNTIL_ASKED_AGAIN = timedelta(hours=8)


class Tally:
    """Everybody, every mail that was claimed or sent, and what was found to be wrong."""

    def __init__(self) -> None:
        self.silence_allows: dict[str, bool] = {}
        self.periods: dict[str, timedelta] = {}  # of topics that come regularly
        self.on_record: set[int] = set()
        self.start = datetime.min.replace(tzinfo=UTC)
        self.people = defaultdict[int, Person](lambda: Person(self.silence_allows))
        self.claims: dict[tuple[int, str], dict[str, datetime]] = defaultdict(dict)
        self.sent: dict[tuple[int, str], list[tuple[datetime, str]]] = defaultdict(list)
        self.due: dict[tuple[str, int], dict[int, bool]] = defaultdict(dict)
        self.got: dict[tuple[str, int], set[int]] = defaultdict(set)
        self.counts: Counter[str] = Counter()
        self.shortest: dict[str, timedelta] = {}  # time between two mails, by the cap
        self.wrong: list[str] = []

    def follow(self, lines: Iterable[str]) -> None:
        """Go through what happened."""
        for line in lines:
            event = json.loads(line)
            getattr(self, "_" + event["do"].replace(" ", "_"))(event)
        for (topic, period), people in self.due.items():
            for number in (number for number, due in people.items() if due):
                self.counts["regular letters due"] += 1
                if number not in self.got[topic, period]:
                    self._is_wrong(f"person {number} never got {topic} number {period}")

    def _is_wrong(self, what: str) -> None:
        self.wrong.append(what)

    def _period(self, topic: str, at: datetime) -> int:
        return (at - self.start) // self.periods[topic]

    def _topic(self, event: dict[str, Any]) -> None:
        self.silence_allows[event["slug"]] = event["silence"] == "opt_out"
        self.start = _time(event["start"])
        if event["comes_every_days"] is not None:
            self.periods[event["slug"]] = timedelta(days=event["comes_every_days"])

    def _begins(self, event: dict[str, Any]) -> None:
        person, at = self.people[event["person"]], _time(event["at"])
        until = event["paused_until"] and _time(event["paused_until"])
        status = event["status"]
        if status == "bounced":
            person.stands.setdefault("address", at)
            status = "unsubscribed"
        person.stands[event["topic"]] = Gets(status, event["frequency"], until, at)
        self.on_record.add(event["person"])

    def _act(self, event: dict[str, Any]) -> None:
        changed = self.people[event["person"]].does(event)
        self.on_record.add(event["person"])
        self.counts[f"changed by {event['act']}"] += changed
        if event["act"] != "erase" and event["changed"] != changed:
            self._is_wrong(f"{event}: changed should be {changed}")

    def _asked(self, event: dict[str, Any]) -> None:
        at = _time(event["at"])
        answers = event["answers"]  # shorter than `people` where the mailing crashed
        for place, number in enumerate(event["people"]):
            expected = self._answer(number, event["topic"], event["campaign"], at)
            self.counts[" ".join(expected.split()[:2])] += 1
            if place < len(answers):
                self._compare(event, number, answers[place], expected)
            self._was_asked(number, event, at, claimed=expected == "allow")

    def _asked_at_once(self, event: dict[str, Any]) -> None:
        """Two mailings asked at one time: of the two, a cap leaves room for one."""
        one, two = event["asked"]
        at, topic, other = _time(one["at"]), one["topic"], dict(_answers(two))
        for number, answer in _answers(one):
            both = [answer, other[number]]
            expected = [self._answer(number, topic, each["campaign"], at) for each in (one, two)]
            gap = self._gap(number, topic)
            if expected == ["allow", "allow"] and gap and one["campaign"] != two["campaign"]:
                self.counts["people whom two mailings wanted at once"] += 1
                expected = ["allow", f"defer frequency {(at + gap).isoformat()}"]
            self._compare(event["asked"][0], number, sorted(both), sorted(expected))
            for each, said in zip((one, two), both, strict=True):
                self._was_asked(number, each, at, claimed=said == "allow")

    def _compare(self, event: dict[str, Any], number: int, said: Any, right: Any) -> None:
        self.counts["answers"] += 1
        if said != right:
            where = f"{event['campaign']} at {event['at']}"
            self._is_wrong(f"{where}: person {number} was answered {said}, not {right}")

    def _was_asked(
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
        """Tell whether a regular letter must reach somebody who is asked about now."""
        gets = self.people[number].stands.get(topic)
        if not self.people[number].receives(topic) or gets is None:
            return False
        paused = gets.paused_until is not None and gets.paused_until > at
        return not paused and GAPS.get(gets.frequency, timedelta()) < self.periods[topic]

    def _answer(self, number: int, topic: str, campaign: str, at: datetime) -> str:
        person = self.people[number]
        if person.erased:
            return "deny erased"
        if {"all", "address"} & person.stands.keys():
            return "deny suppressed"
        gets = person.stands.get(topic)
        if gets is None:
            why = "not_subscribed" if number in self.on_record else "unknown"
            return "allow" if self.silence_allows[topic] else f"deny {why}"
        if gets.status != "subscribed":
            return f"deny {gets.status}"
        if gets.paused_until is not None and gets.paused_until > at:
            return f"defer paused {gets.paused_until.isoformat()}"
        others = (
            claimed for name, claimed in self.claims[number, topic].items() if name != campaign
        )
        last, gap = max(others, default=None), self._gap(number, topic)
        if last is not None and gap is not None and last + gap > at:
            return f"defer frequency {(last + gap).isoformat()}"
        return "allow"

    def _gap(self, number: int, topic: str) -> timedelta | None:
        gets = self.people[number].stands.get(topic)
        return GAPS.get(gets.frequency) if gets is not None else None

    def _released(self, event: dict[str, Any]) -> None:
        held = [self.claims[number, event["topic"]] for number in event["people"]]
        given_back = sum(each.pop(event["campaign"], None) is not None for each in held)
        self.counts["claims given back"] += given_back
        if given_back != event["given_back"]:
            self._is_wrong(f"{event['campaign']}: {event['given_back']} given back: {given_back}")

    def _sent(self, event: dict[str, Any]) -> None:
        """Look at the mails alone: none may break a stop, a pause or a cap."""
        at, topic = _time(event["at"]), event["topic"]
        if topic in self.periods:
            self.got[topic, self._period(topic, at)].update(event["people"])
        for number in event["people"]:
            self.counts["mails sent"] += 1
            person, mails = self.people[number], self.sent[number, topic]
            gets = person.stands.get(topic)
            who = f"{event['campaign']}: person {number}"
            if not person.receives(topic):
                self._is_wrong(f"{who} was mailed, and had stopped")
            if gets is not None and gets.paused_until is not None and gets.paused_until > at:
                self._is_wrong(f"{who} was mailed in a pause")
            if any(campaign == event["campaign"] for _, campaign in mails):
                self._is_wrong(f"{who} was mailed twice")
            if gets is not None and gets.frequency in GAPS and mails:
                self._keeps_apart(gets.frequency, at - mails[-1][0], who)
            mails.append((at, event["campaign"]))

    def _keeps_apart(self, frequency: str, apart: timedelta, who: str) -> None:
        self.shortest[frequency] = min(apart, self.shortest.get(frequency, apart))
        if apart < GAPS[frequency] - MAX_UNTIL_ASKED_AGAIN:
            self._is_wrong(f"{who} was mailed {apart} after the mail before")


def _answers(asked: dict[str, Any]) -> Iterable[tuple[int, str]]:
    return zip(asked["people"], asked["answers"], strict=True)


@lru_cache(maxsize=100_000)
def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def main(log: str) -> int:
    """Follow a log; say what was counted, or what was wrong."""
    tally = Tally()
    with Path(log).open(encoding="utf-8") as lines:
        tally.follow(lines)
    foreign = [name for name in sys.modules if name.partition(".")[0] == "preference_center"]
    assert not foreign, foreign
    shortest = {f"shortest, {cap}": str(apart) for cap, apart in tally.shortest.items()}
    found = {"wrong": len(tally.wrong), "first": tally.wrong[:20], **tally.counts, **shortest}
    json.dump(found, sys.stdout)
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
