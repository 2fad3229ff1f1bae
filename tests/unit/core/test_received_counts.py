"""How many emails subscribers had received: counted with each email, and when they leave."""

from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import select

from preference_center.core import audience, erasure, rollups, topics
from preference_center.core.api_vocab import EmailsReceived
from preference_center.core.apply import apply
from preference_center.core.change import Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.vocab import Source
from preference_center.store import Database
from preference_center.store.tables import ReceivedCount
from tests.support import citus, make
from tests.support.rollups import received, received_counted

DAY = timedelta(days=1)
TODAY = make.NOW.date()
PEOPLE = [f"p{number}@example.org" for number in range(4)]
IDS = [make.id_of(each) for each in PEOPLE]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0"),
        (1, "1"),
        (2, "2-4"),
        (4, "2-4"),
        (5, "5-9"),
        (19, "10-19"),
        (20, "20-"),
        (99, "20-"),
    ],
)
def test_a_number_of_emails_is_in_one_group(number: int, expected: str) -> None:
    assert EmailsReceived.of(number) == expected


@pytest.mark.integration
def test_the_counts_are_those_of_the_claims_and_the_ledger(database: Database) -> None:
    chance, at, campaigns = Random(5), make.NOW, list[str]()
    with database.transaction() as session:
        for email in PEOPLE:
            make.subscriber(session, email, "weekly-news", "offers")
    for step in range(50):
        at += DAY * chance.random() * 3
        some = chance.sample(IDS, 3)
        with database.transaction() as session:
            topic = topics.get(session, chance.choice(("weekly-news", "offers")))
            if step % 9 == 8:
                context = make.context(chance.choice((Source.PAGE, Source.CLI)), at)
                change = Unsubscribe(some[0], Target.of(topic.slug), context)
                apply(session, [change], at)
                make.start_topic(session, PEOPLE[IDS.index(some[0])], topic.slug, at=at)
            elif step % 9 == 5:
                audience.release(session, topic, campaigns[-1], some, at)
            else:
                campaigns.append(str(step // 2))  # Some ask again.
                audience.claim(session, topic, campaigns[-1], some, at)
    with database.reading() as session:
        found = received(session)
        assert found == received_counted(session)
    assert {key[1] for key in found} >= {EmailsReceived.ONE, EmailsReceived.SEVERAL}
    assert {key[2] for key in found} == {True, False}


def test_what_staff_and_bounces_end_does_not_count(database: Database) -> None:
    with database.transaction() as session:
        for email, source in zip(PEOPLE, ("cli", "bounce", "import", "complaint"), strict=True):
            make.subscriber(session, email)
            make.unsubscribe(session, email, source=source)
    with database.reading() as session:
        assert received(session) == {(TODAY, EmailsReceived.NONE, True): 1}


def test_an_erasure_leaves_the_counts(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        audience.claim(session, topics.get(session, "weekly-news"), "1", [make.id_of()], make.NOW)
        make.unsubscribe(session)
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    with database.reading() as session:
        assert received(session) == {
            (TODAY, EmailsReceived.ONE, False): 1,
            (TODAY, EmailsReceived.ONE, True): 1,
        }


def test_they_are_folded(database: Database) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, at=make.NOW)
        session.connection().info["slot"] = 7
    with database.transaction() as session:
        rollups.fold(session, make.NOW + DAY)
        assert session.scalars(select(ReceivedCount.slot)).all() == [0]


@pytest.mark.parametrize("number", [1, 100])
def test_a_claim_takes_a_fixed_number_of_statements(database: Database, number: int) -> None:
    emails = [f"p{each}@example.org" for each in range(number)]
    with database.transaction() as session:
        for email in emails:
            make.subscriber(session, email)
    with citus.watched(database.engine) as statements, database.transaction() as session:
        topic = topics.get(session, "weekly-news")
        statements.clear()
        audience.claim(session, topic, "1", list(map(make.id_of, emails)), make.NOW)
        session.flush()
        about_claims = [each for each in statements if "claims" in each]
    assert len(about_claims) == 3, about_claims
