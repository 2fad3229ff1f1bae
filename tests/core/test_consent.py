"""Ending consent and putting it back, on both engines."""

from preference_center.core import consent, subscribers, topics
from preference_center.store import Database
from tests import make


def test_a_stop_ends_the_topic(database: Database) -> None:
    with database.transaction() as session:
        ada = make.reader(session)
        topic = topics.get(session, "weekly-news")
        assert consent.end_consent(session, ada, "topic", make.act(), topic).changed
    with database.reading() as session:
        found = subscribers.find(session, make.person())
        assert found is not None
        assert found.subscriptions["weekly-news"].status == "unsubscribed"
