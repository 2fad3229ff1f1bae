"""What happens in the half-year, drawn by lot from a seed: people, what they do, and mailings.

Plain data, in the order of time; `stage` plays it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
WEEKS = 26
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

TOPICS = {  # slug: what silence means, cadence, how many mailings in a week
    "letter": ("opt_in", "weekly", 1),
    "offers": ("opt_in", "irregular", 4),
    "digest": ("opt_in", "monthly", 0.25),
    "service": ("opt_out", "irregular", 2),
}
FREQUENCIES = ("every", "weekly", "monthly")
PAUSES = ("2-weeks", "1-month", "3-months")
FATES = {
    "sent": 62,
    "crashed": 14,  # half-way; asks again some hours later
    "cancelled": 7,  # all is given back, and asked again some hours later
    "half cancelled": 5,  # what was not sent yet is given back, and asked again
    "at once": 8,  # another mailing of the topic asks at the same time
    "twice at once": 4,  # the same mailing is started twice
}


@dataclass(frozen=True)
class Beginning:
    """What a sender brings along about one person and one topic."""

    person: int
    topic: str
    status: str
    frequency: str
    paused_until: datetime | None


@dataclass(frozen=True)
class Act:
    """What one person does. `said_at` lies before `at` where the act arrives late."""

    at: datetime
    person: int
    act: str
    topic: str = ""
    choice: str = ""
    said_at: datetime | None = None


@dataclass(frozen=True)
class Letter:
    """A mailing. Acts that fall in the minute it takes come between its batches."""

    at: datetime
    topic: str
    campaign: str
    fate: str
    again_at: datetime


def beginnings(people: int, lot: Random) -> Iterator[Beginning]:
    """Yield what is known at the start: three of four people, with every mix of topics."""
    for person in range(people):
        if person % 4 == 3:
            continue  # known to the sender alone, by address or (every eighth) by id
        for topic in lot.sample(list(TOPICS), lot.randint(1, 4)):
            paused = lot.random() < 0.15
            yield Beginning(
                person,
                topic,
                lot.choices(
                    ["subscribed", "unconfirmed", "unsubscribed", "bounced"], [90, 4, 4, 2]
                )[0],
                lot.choices(FREQUENCIES, [4, 4, 2])[0],
                START + lot.randint(1, 120) * DAY if paused else None,
            )


def acts(people: int, mailings: list[Letter], lot: Random) -> list[Act]:
    """Return what people do: two things each, some none and some many; often while mailed."""
    found: list[Act] = []
    for person in range(people):
        last = START
        for at in sorted(
            _some_time(mailings, lot) for _ in range(lot.choice((0, 0, 1, 1, 2, 3, 7)))
        ):
            if at <= last:
                continue
            found.append(_act(person, at, last, lot))
            last = at
            if found[-1].choice in PAUSES and lot.random() < 0.4:
                last = at + 5 * DAY
                found.append(replace(found[-1], at=last, act="resume", said_at=None))
            elif lot.random() < 0.3:  # has second thoughts, of this or of what was before it
                last = at + lot.choice((3 * MINUTE, DAY, 29 * DAY, 32 * DAY))
                found.append(Act(last, person, "undo", choice=lot.choice("1112")))
    return found


def _some_time(mailings: list[Letter], lot: Random) -> datetime:
    if lot.random() < 0.4:
        return lot.choice(mailings).at + MINUTE
    return START + lot.randrange(WEEKS * 7 * 24 * 60) * MINUTE


def _act(person: int, at: datetime, last: datetime, lot: Random) -> Act:
    kinds = {"leave": 5, "leave all": 3, "less": 8, "cap": 4, "resume": 3, "join": 6}
    act = lot.choices([*kinds, "bounce", "erase"], [*kinds.values(), 0.3, 0.2])[0]
    topic = lot.choice(list(TOPICS)) if act != "leave all" else ""
    choice = lot.choice(FREQUENCIES if act == "cap" else FREQUENCIES[1:] + PAUSES)
    said_at = at - lot.randint(1, 40) * HOUR if act.startswith("leave") else at
    if said_at <= last or lot.random() < 0.7:
        said_at = at
    return Act(at, person, act, topic, choice, said_at)


def letters(lot: Random) -> list[Letter]:
    """Return the mailings: on time, early and late by minutes."""
    found = []
    for topic, (_, cadence, a_week) in TOPICS.items():
        for number in range(round(WEEKS * a_week)):
            at = START + number / a_week * 7 * DAY + 10 * HOUR
            if cadence == "irregular":
                at += lot.randint(-5, 10) * HOUR
            at += lot.randint(-45, 45) * MINUTE
            fate = lot.choices(list(FATES), list(FATES.values()))[0]
            again_at = at + lot.randint(20, 7 * 60) * MINUTE
            found.append(Letter(at, topic, f"{topic}-{number}", fate, again_at))
    return found
