"""A stop that arrives late: what a person chose since answers it, or does not."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from preference_center.core import consent, preferences, subscribers, subscriptions, topics
from preference_center.core.change import ChangeContext, ChangeResult, Target
from preference_center.core.vocab import Frequency, Pause, Source
from preference_center.store import Database
from preference_center.store.tables import Subscriber
from tests.support import make

ADA = "ada@example.org"
HOUR = timedelta(hours=1)
LATER = make.NOW + HOUR


def _ada(session: Session) -> Subscriber:
    return subscribers.lock(session, make.person(), make.NOW)


def _received(session: Session) -> set[str]:
    ada = _ada(session)
    return {topic.slug for topic in topics.list_topics(session) if preferences.receives(ada, topic)}


def _late_stop(session: Session, slug: str | None = "weekly-news") -> ChangeResult:
    """Bring a stop that was made before everything else in a test."""
    context = ChangeContext(Source.MAILTO, make.NOW - HOUR, make.NOW + 2 * HOUR)
    return consent.end_consent(session, _ada(session), Target.of(slug), context)


@pytest.mark.parametrize("slug", ["weekly-news", None])
@pytest.mark.parametrize("choice", [Frequency.WEEKLY, Pause.ONE_MONTH])
def test_asking_for_less_does_not_answer_a_stop_that_arrives_late(
    database: Database, slug: str | None, choice: Frequency | Pause
) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.less(session, choice)
        assert _late_stop(session, slug).changed
        assert _received(session) == set()


@pytest.mark.parametrize("choice", [Frequency.WEEKLY, Pause.ONE_MONTH])
def test_to_take_back_a_wish_for_less_does_not_answer_a_stop_that_arrives_late(
    database: Database, choice: Frequency | Pause
) -> None:
    with database.transaction() as session:
        make.reader(session)
        less = make.less(session, choice)
        make.undo(session, less.last_seq, less.last_seq)
        assert _late_stop(session).changed


def test_to_take_back_having_joined_does_not_answer_a_stop_that_arrives_late(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.reader(session, ADA, "offers")
        make.topic(session)
        joined = make.join(session)
        make.undo(session, joined.last_seq, joined.last_seq)
        assert _late_stop(session).changed
        make.reader(session)
        assert _received(session) == {"offers"}, "an import brought back who had stopped"


def test_asking_for_more_answers_a_stop_that_arrives_late(database: Database) -> None:
    with database.transaction() as session:
        ada = make.reader(session)
        ada.subscriptions["weekly-news"].frequency = Frequency.MONTHLY
        subscriptions.set_frequency(
            session, ada, topics.get(session, "weekly-news"), Frequency.WEEKLY, make.context()
        )
        assert not _late_stop(session).changed
        make.less(session, Pause.ONE_MONTH)
        subscriptions.resume(
            session, ada, topics.get(session, "weekly-news"), make.context(at=LATER)
        )
        assert not _late_stop(session).changed


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_joining_answers_a_stop_that_arrives_late(database: Database, slug: str | None) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, slug=slug)
        make.join(session, at=LATER)
        assert not _late_stop(session, slug).changed
        assert _received(session) == {"weekly-news"}


def test_joining_one_topic_does_not_answer_a_late_stop_of_another(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, ADA, "weekly-news", "offers")
        make.stop(session, slug="offers")
        make.join(session, slug="offers", at=LATER)
        assert _late_stop(session, "weekly-news").changed
