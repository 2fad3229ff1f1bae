"""The events of the half-year, drawn at random from a seed: subscribers, acts and mailings.

Plain data in chronological order; `stage` plays it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
WEEKS = 26
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

TOPICS = {  # slug: policy, cadence, mailings a week
    "letter": ("opt_in", "weekly", 1),
    "offers": ("opt_in", "irregular", 4),
    "digest": ("opt_in", "monthly", 0.25),
    "service": ("opt_out", "irregular", 2),
}
FREQUENCIES = ("every", "weekly", "monthly")
PAUSES = ("2-weeks", "1-month", "3-months")
FATES = {
    "sent": 62,
    "crashed": 14,  # half-way; checked again some hours later
    "cancelled": 7,  # everything is released, and checked again some hours later
    "half cancelled": 5,  # the unsent rest is released, and checked again
    "at once": 8,  # another mailing of the topic is checked at the same time
    "twice at once": 4,  # the same mailing is started twice
}


@dataclass(frozen=True)
class Beginning:
    """What a sender imports about one subscriber and one topic."""

    person: int
    topic: str
    status: str
    frequency: str
    paused_until: datetime | None


@dataclass(frozen=True)
class Act:
    """One subscriber's act. `occurred_at` is before `at` if the act arrives late."""

    at: datetime
    person: int
    act: str
    topic: str = ""
    choice: str = ""
    occurred_at: datetime | None = None


@dataclass(frozen=True)
class Letter:
    """A mailing. Acts during its minute are performed between its batches."""

    at: datetime
    topic: str
    campaign: str
    fate: str
    retry_at: datetime


def beginnings(people: int, rng: Random) -> Iterator[Beginning]:
    """Yield what is imported at the start: three of four people, with every mix of topics."""
    for person in range(people):
        if person % 4 == 3:
            continue  # known only to the sender, by address or (every eighth) by id
        for topic in rng.sample(list(TOPICS), rng.randint(1, 4)):
            paused = rng.random() < 0.15
            yield Beginning(
                person,
                topic,
                rng.choices(
                    ["subscribed", "unconfirmed", "unsubscribed", "bounced"], [90, 4, 4, 2]
                )[0],
                rng.choices(FREQUENCIES, [4, 4, 2])[0],
                START + rng.randint(1, 120) * DAY if paused else None,
            )


def acts(people: int, mailings: list[Letter], rng: Random) -> list[Act]:
    """Return the acts: two a person on average, some none and some many; often during a mailing."""
    found: list[Act] = []
    for person in range(people):
        last = START
        for at in sorted(
            _some_time(mailings, rng) for _ in range(rng.choice((0, 0, 1, 1, 2, 3, 7)))
        ):
            if at <= last:
                continue
            found.append(_act(person, at, last, rng))
            last = at
            if found[-1].choice in PAUSES and rng.random() < 0.4:
                last = at + 5 * DAY
                found.append(replace(found[-1], at=last, act="resume", occurred_at=None))
            elif rng.random() < 0.3:  # undoes this or an earlier change
                last = at + rng.choice((3 * MINUTE, DAY, 29 * DAY, 32 * DAY))
                found.append(Act(last, person, "undo", choice=rng.choice("1112")))
    return found


def _some_time(mailings: list[Letter], rng: Random) -> datetime:
    if rng.random() < 0.4:
        return rng.choice(mailings).at + MINUTE
    return START + rng.randrange(WEEKS * 7 * 24 * 60) * MINUTE


def _act(person: int, at: datetime, last: datetime, rng: Random) -> Act:
    kinds = {"leave": 5, "leave all": 3, "less": 8, "cap": 4, "resume": 3, "join": 6}
    act = rng.choices([*kinds, "bounce", "erase"], [*kinds.values(), 0.3, 0.2])[0]
    topic = rng.choice(list(TOPICS)) if act != "leave all" else ""
    choice = rng.choice(FREQUENCIES if act == "cap" else FREQUENCIES[1:] + PAUSES)
    occurred_at = at - rng.randint(1, 40) * HOUR if act.startswith("leave") else at
    if occurred_at <= last or rng.random() < 0.7:
        occurred_at = at
    return Act(at, person, act, topic, choice, occurred_at)


def letters(rng: Random) -> list[Letter]:
    """Return the mailings: on time, early and late by minutes."""
    found = []
    for topic, (_, cadence, a_week) in TOPICS.items():
        for number in range(round(WEEKS * a_week)):
            at = START + number / a_week * 7 * DAY + 10 * HOUR
            if cadence == "irregular":
                at += rng.randint(-5, 10) * HOUR
            at += rng.randint(-45, 45) * MINUTE
            fate = rng.choices(list(FATES), list(FATES.values()))[0]
            retry_at = at + rng.randint(20, 7 * 60) * MINUTE
            found.append(Letter(at, topic, f"{topic}-{number}", fate, retry_at))
    return found
