"""Emails that were claimed after their subscriber had left: there are none, and late ones show."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from preference_center.core import after_leaving, audience, topics
from preference_center.core.after_leaving import EmailedAfterLeaving, LeftWhen
from preference_center.core.vocab import Scope, Source
from preference_center.store import Database
from preference_center.store.tables import Claim
from tests.support import make

ADA = "ada@example.org"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

pytestmark = pytest.mark.parametrize(
    "database_url", ["sqlite", "postgresql", "distributed"], indirect=True
)


def ask(session: Session, campaign: str = "47", at: datetime = make.NOW) -> bool:
    """Ask for an email as a sender does, and return True if it was claimed."""
    topic = topics.get(session, "weekly-news")
    return audience.claim(session, topic, campaign, [make.id_of()], at)[make.id_of()].allows


def claim_anyway(session: Session, at: datetime = make.NOW, **changes: Any) -> None:
    """Add a claim as no audience check does."""
    values = {"topic": "weekly-news", "campaign": "47", "claimed_at": at, **changes}
    session.execute(insert(Claim), [{"subscriber_id": make.id_of(), "received": 1, **values}])


def found(database: Database, **selection: Any) -> list[EmailedAfterLeaving]:
    with database.reading() as session:
        return list(after_leaving.find(session, **selection))


def whens(database: Database) -> list[LeftWhen]:
    return [each.when for each in found(database)]


Action = Callable[[Session], object]
SEQUENCES: dict[str, list[Action]] = {
    "left afterwards": [lambda s: ask(s), lambda s: make.unsubscribe(s, at=make.NOW + HOUR)],
    "left and asked": [lambda s: make.unsubscribe(s), lambda s: ask(s, at=make.NOW + DAY)],
    "left everything and asked": [
        lambda s: make.unsubscribe(s, slug=None),
        lambda s: ask(s, at=make.NOW + DAY),
    ],
    "came back": [
        lambda s: make.unsubscribe(s, slug=None),
        lambda s: make.start_topic(s, at=make.NOW + HOUR),
        lambda s: ask(s, at=make.NOW + DAY),
    ],
    "undone": [
        lambda s: make.unsubscribe(s),
        lambda s: make.undo(s, 3, 3, at=make.NOW + HOUR),
        lambda s: ask(s, at=make.NOW + DAY),
    ],
    "left another topic": [
        lambda s: make.unsubscribe(s, slug="offers"),
        lambda s: ask(s, at=make.NOW + DAY),
    ],
    "released": [
        lambda s: ask(s),
        lambda s: audience.release(
            s, topics.get(s, "weekly-news"), "47", [make.id_of()], make.NOW + HOUR
        ),
        lambda s: make.unsubscribe(s, at=make.NOW + DAY, occurred_at=make.NOW - DAY),
    ],
}


@pytest.mark.parametrize("actions", SEQUENCES.values(), ids=SEQUENCES)
def test_the_audience_check_leaves_none(database: Database, actions: list[Action]) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        for act in actions:
            act(session)
    assert found(database) == []


@pytest.mark.parametrize(
    ("slug", "scope"), [("weekly-news", "topic"), (None, "all"), (None, "address")]
)
def test_an_unsubscribe_that_arrives_late_is_found(
    database: Database, slug: str | None, scope: str
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        assert ask(session)
        make.unsubscribe(
            session,
            slug=slug,
            scope=Scope(scope) if slug is None else Scope.ALL,
            source=Source.IMPORT,
            at=make.NOW + DAY,
            occurred_at=make.NOW - DAY,
        )
    expected = EmailedAfterLeaving(
        make.id_of(),
        "weekly-news",
        "47",
        claimed_at=make.NOW,
        left_at=make.NOW - DAY,
        recorded_at=make.NOW + DAY,
        scope=Scope(scope),
        source=Source.IMPORT,
    )
    assert found(database) == [expected]
    assert expected.when is LeftWhen.RECORDED_LATER


def test_an_unsubscribe_on_record_is_a_fault_unless_both_were_made_at_once(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
        claim_anyway(session, make.NOW + timedelta(seconds=1), campaign="46")
        claim_anyway(session, make.NOW + HOUR, campaign="47")
    assert whens(database) == [LeftWhen.SAME_MOMENT, LeftWhen.ON_RECORD]


def test_a_topic_that_stayed_off_counts_as_left(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        make.unsubscribe(session, slug=None)
        make.start_topic(session, slug="offers", at=make.NOW + HOUR)
        claim_anyway(session, make.NOW + DAY)
        claim_anyway(session, make.NOW + DAY, topic="offers")
    assert [each.topic for each in found(database)] == ["weekly-news"]


def test_an_email_is_listed_once_and_a_selection_counts(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
        make.unsubscribe(session, slug=None)
        for number in range(3):
            claim_anyway(session, make.NOW + (number + 1) * DAY, campaign=str(number))
    assert [each.campaign for each in found(database)] == ["0", "1", "2"]
    assert [each.campaign for each in found(database, since=make.NOW + 2 * DAY)] == ["1", "2"]
    assert [each.campaign for each in found(database, until=make.NOW + 2 * DAY)] == ["0"]
    assert [each.campaign for each in found(database, campaign="1")] == ["1"]
    assert found(database, topic="offers") == []
    with database.reading() as session:
        count, first = after_leaving.count_and_first(session, 2)
    assert (count, [each.campaign for each in first]) == (3, ["0", "1"])
