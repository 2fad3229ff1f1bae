"""Simulations of one to two years of mailings: only dead addresses are suppressed (M13).

The rule runs on plain values for many subscribers, then through the database for a few.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from preference_center.core import audience, topics
from preference_center.core.bounce_rule import CADENCE_WINDOWS, Evidence, Failure, ends
from preference_center.core.bounces import Bounce
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import Cadence
from preference_center.store import Database
from preference_center.store.tables import SuppressionRow
from tests.support import make

pytestmark = pytest.mark.integration

DAY = timedelta(days=1)
START = date(2026, 1, 5)
TWO_YEARS = 730
PERMANENT, PROBABLE, SOFT = (
    BounceSeverity.PERMANENT,
    BounceSeverity.PROBABLE,
    BounceSeverity.SOFT,
)


@dataclass(frozen=True)
class Sender:
    """A sender of one topic, every `step` days; `evidence` is what it reports about deliveries."""

    step: int
    cadence: Cadence
    evidence: str

    def __str__(self) -> str:
        return f"every {self.step} days, {self.cadence}, {self.evidence}"


# A fortnightly topic counts as weekly: five of its mailings fit into 60 days.
SENDERS = [
    Sender(step, cadence, evidence)
    for step, cadence in (
        (1, Cadence.IRREGULAR),
        (7, Cadence.WEEKLY),
        (14, Cadence.WEEKLY),
        (30, Cadence.MONTHLY),
    )
    for evidence in ("claims", "deliveries", "neither")
    if (step, evidence) != (1, "neither")
]
SUBSCRIBERS = {1: 150, 7: 600, 14: 1000, 30: 1500}


def faults(chance: random.Random, until: int) -> dict[int, BounceSeverity]:
    """Return the days on which an email to a healthy address would fail, with the severity."""
    share = chance.choice([0.01, 0.02, 0.03])
    found = {day: SOFT for day in range(until) if chance.random() < share}
    for year in range(0, until, 365):  # a mailbox that is full over a long weekend
        first = year + chance.randrange(361)
        found |= dict.fromkeys(range(first, first + 4), SOFT)
    found |= dict.fromkeys(range(150, 157), SOFT)  # a week on a blocklist
    found |= dict.fromkeys(range(350, 357), SOFT)  # a week without an answer: 4.4.1
    return found | dict.fromkeys((550, 551), PERMANENT)  # two days of 5.1.1


def suppressed_after(
    sender: Sender, failing: dict[int, BounceSeverity], until: int, *, offset: int = 0
) -> int | None:
    """Return the day on which an address is suppressed if emails fail on the `failing` days."""
    window = CADENCE_WINDOWS[sender.cadence]
    failures: list[Failure] = []
    claims: list[date] = []
    delivered: date | None = None
    for number in range(offset, until, sender.step):
        today = START + number * DAY
        claims.append(today)
        if number not in failing:
            delivered = today
            continue
        new = Failure(today, failing[number], window)
        evidence = Evidence(
            claims[-200:] if sender.evidence == "claims" else (),
            delivered if sender.evidence == "deliveries" else None,
        )
        if ends(failures[-200:], new, evidence, today, held=failing[number] is not SOFT):
            return number
        failures.append(new)
    return None


@pytest.mark.parametrize("sender", SENDERS, ids=str)
def test_no_healthy_address_is_suppressed(sender: Sender) -> None:
    chance = random.Random(8)
    suppressed = [
        suppressed_after(sender, faults(chance, TWO_YEARS), TWO_YEARS, offset=turn % sender.step)
        for turn in range(SUBSCRIBERS[sender.step])
    ]
    assert [each for each in suppressed if each is not None] == []


# Days until an address that refuses every email is suppressed.
DEAD = {1: 14, 7: 28, 14: 56, 30: 120}


@pytest.mark.parametrize("sender", [*SENDERS, Sender(1, Cadence.IRREGULAR, "neither")], ids=str)
def test_every_dead_address_is_suppressed(sender: Sender) -> None:
    for seed in range(40):
        chance = random.Random(seed)
        died = 365 - 365 % sender.step
        failing = faults(chance, died) if sender.step > 1 else {}
        failing = {day: how for day, how in failing.items() if day < died - 180}
        failing |= dict.fromkeys(range(died, TWO_YEARS), SOFT)
        suppressed = suppressed_after(sender, failing, TWO_YEARS)
        assert suppressed is not None
        assert suppressed - died == DEAD[sender.step]


@pytest.mark.parametrize(("step", "after"), [(1, 7), (7, 7), (14, 14), (30, 30)])
def test_a_mailing_a_week_later_confirms_a_probable_bounce(step: int, after: int) -> None:
    failures: list[Failure] = []
    for number in range(0, 60, step):
        new = Failure(START + number * DAY, PROBABLE)
        if ends(failures, new, Evidence(), new.day, held=False):
            break
        failures.append(new)
    assert number == after


def test_a_daily_sender_without_evidence_loses_healthy_subscribers() -> None:
    """Show why `docs/bounces.md` asks daily senders for claims or delivered events."""
    suppressed = {
        evidence: sum(
            suppressed_after(
                Sender(1, Cadence.IRREGULAR, evidence), _failures_at_three_percent(seed), 365
            )
            is not None
            for seed in range(200)
        )
        for evidence in ("neither", "claims", "deliveries")
    }
    assert suppressed["neither"] > 0
    assert (suppressed["claims"], suppressed["deliveries"]) == (0, 0)


def _failures_at_three_percent(seed: int) -> dict[int, BounceSeverity]:
    chance = random.Random(seed)
    return {day: SOFT for day in range(365) if chance.random() < 0.03}


@dataclass
class Simulation:
    """A sender and a large domain with working, full and deleted mailboxes."""

    database: Database
    step: int
    claims: bool
    working: list[str] = field(default_factory=lambda: _emails("living", 25))
    full: list[str] = field(default_factory=lambda: _emails("full", 2))
    deleted: list[str] = field(default_factory=lambda: _emails("gone", 2))
    probable: list[str] = field(default_factory=lambda: _emails("unlikely", 2))
    suppressed: dict[str, int] = field(default_factory=dict)

    def prepare(self, cadence: Cadence) -> None:
        with self.database.transaction() as session:
            make.topic(session, cadence=cadence)
            for email in (*self.working, *self.full, *self.deleted, *self.probable):
                make.subscriber(session, email)

    def send(self, number: int, failing: dict[str, BounceSeverity]) -> None:
        """Send one mailing; the failing addresses bounce an hour later."""
        at = make.NOW + number * self.step * DAY
        emails = [*self.working, *self.full, *self.deleted, *self.probable]
        ids = {make.id_of(email): email for email in emails}
        with self.database.transaction() as session:
            topic = topics.get(session, "weekly-news")
            verdicts = audience.check(session, topic, str(number), ids, at)
            if self.claims:
                verdicts = audience.claim(session, topic, str(number), ids, at)
        for person, email in ids.items():
            if verdicts[person].decision == "allow" and email in failing:
                bounce = Bounce(failing[email], "", at, "provider", topic="weekly-news")
                with self.database.transaction() as session:
                    make.bounce(session, bounce, at + timedelta(hours=1), email)
        with self.database.reading() as session:
            for person in session.scalars(select(SuppressionRow.subscriber_id)):
                self.suppressed.setdefault(ids[person], number)


def _emails(kind: str, count: int) -> list[str]:
    return [f"{kind}{number}@mail.example" for number in range(count)]


def _failing(
    simulation: Simulation, number: int, faulty: range
) -> Iterator[tuple[str, BounceSeverity]]:
    chance = random.Random(number)
    for email in simulation.working:
        if number in faulty:
            yield email, PERMANENT
        elif number == 5 or chance.random() < 0.02:
            yield email, SOFT
    yield from dict.fromkeys(simulation.full, SOFT).items()
    yield from dict.fromkeys(simulation.deleted, PERMANENT).items()
    yield from dict.fromkeys(simulation.probable, PROBABLE).items()


@pytest.mark.parametrize(
    ("step", "cadence", "mailings", "claims"),
    [
        (1, Cadence.IRREGULAR, 15, True),
        (7, Cadence.WEEKLY, 6, False),
        (14, Cadence.WEEKLY, 6, True),
        (30, Cadence.MONTHLY, 6, False),
    ],
)
def test_the_rule_works_through_the_database(
    database: Database, step: int, cadence: Cadence, mailings: int, claims: bool
) -> None:
    simulation = Simulation(database, step, claims)
    simulation.prepare(cadence)
    faulty = range(3, 5 if step == 1 else 4)  # the domain refuses every address for two days
    for number in range(mailings):
        simulation.send(number, dict(_failing(simulation, number, faulty)))
    assert not set(simulation.suppressed) & set(simulation.working)
    assert {simulation.suppressed[email] for email in simulation.deleted} == {0}
    second = 7 if step == 1 else 1
    assert {simulation.suppressed[email] for email in simulation.probable} == {second}
    assert {simulation.suppressed[email] for email in simulation.full} == {14 if step == 1 else 4}


@pytest.mark.parametrize(("step", "claims"), [(7, False), (30, True)])
def test_a_domain_of_dead_addresses_is_suppressed_at_the_second_mailing(
    database: Database, step: int, claims: bool
) -> None:
    simulation = Simulation(database, step, claims, [], [], _emails("gone", 50), [])
    simulation.prepare(Cadence.MONTHLY)
    for number in range(2):
        simulation.send(number, dict.fromkeys(simulation.deleted, PERMANENT))
    assert [simulation.suppressed[email] for email in simulation.deleted] == [1] * 50
