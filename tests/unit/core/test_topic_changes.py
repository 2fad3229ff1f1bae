"""Topics: what a change means for whom, visibility, and deleting."""

import pytest

from preference_center.core import audience, preferences, subscribers, topic_changes, topics
from preference_center.core.errors import TopicInUseError
from preference_center.core.topic_changes import TopicChange
from preference_center.core.vocab import Status, TopicPolicy, TopicVisibility
from preference_center.store import Database
from tests.support import make

engines = pytest.mark.parametrize(
    "database_url", ["sqlite", "postgresql", "distributed"], indirect=True
)
OPT_OUT = TopicChange(policy=TopicPolicy.OPT_OUT)


@pytest.fixture
def people(database: Database) -> Database:
    """Return a database with a subscriber of each kind."""
    with database.transaction() as session:
        make.topic(session)
        make.topic(session, "offers")
        make.subscriber(session, "ada@example.org", "weekly-news")
        make.subscriber(session, "bob@example.org", "offers")
        make.subscriber(session, "cyd@example.org", "weekly-news", status=Status.UNSUBSCRIBED)
        make.subscriber(session, "dan@example.org", "weekly-news", status=Status.UNCONFIRMED)
        make.subscriber(session, "eva@example.org", "weekly-news")
        make.subscriber(session, "fay@example.org", "offers")
        make.unsubscribe(session, "eva@example.org", None)
        make.unsubscribe(session, "fay@example.org", None)
    return database


@engines
def test_the_audience_of_a_topic_is_counted_before_and_after_a_change(people: Database) -> None:
    with people.reading() as session:
        topic = topics.get(session, "weekly-news")
        now = topic_changes.audience(session, topic)
        assert (now.subscribed, now.unsubscribed, now.unconfirmed, now.silent) == (1, 1, 1, 1)
        assert now.receiving == 1
        assert topic_changes.audience(session, topic, OPT_OUT).receiving == 2
        archived = TopicChange(policy=TopicPolicy.OPT_OUT, archived=True)
        assert topic_changes.audience(session, topic, archived).receiving == 0


@engines
def test_the_count_after_a_change_is_what_the_audience_check_then_allows(people: Database) -> None:
    emails = [f"{name}@example.org" for name in ("ada", "bob", "cyd", "dan", "eva", "fay")]
    with people.transaction() as session:
        topic = topics.get(session, "weekly-news")
        promised = topic_changes.audience(session, topic, OPT_OUT).receiving
        OPT_OUT.apply(topic, make.NOW)
    asked = {make.id_of(email): email for email in emails}
    verdicts = audience.ask(people, "weekly-news", "47", asked, lambda: make.NOW)
    assert sum(each.allows for each in verdicts.values()) == promised == 2


def test_a_change_keeps_what_it_does_not_name(people: Database) -> None:
    with people.transaction() as session:
        topic = topics.get(session, "weekly-news")
        TopicChange(visibility=TopicVisibility.HIDDEN).apply(topic, make.NOW)
        assert (topic.visibility, topic.policy, topic.archived_at) == ("hidden", "opt_in", None)
        TopicChange(archived=True).apply(topic, make.NOW)
        TopicChange(archived=True).apply(topic, make.NOW.replace(year=2030))
        assert topic.archived_at == make.NOW
        TopicChange(archived=False).apply(topic, make.NOW)
        assert topic.archived_at is None


@pytest.mark.parametrize(
    ("visibility", "of_ada", "of_bob"),
    [
        ("public", ["weekly-news", "offers"], ["offers", "weekly-news"]),
        ("hidden", ["weekly-news", "offers"], ["offers"]),
        ("internal", ["offers"], ["offers"]),
    ],
)
def test_visibility_decides_who_is_shown_a_topic(
    people: Database, visibility: str, of_ada: list[str], of_bob: list[str]
) -> None:
    with people.transaction() as session:
        change = TopicChange(visibility=TopicVisibility(visibility))
        change.apply(topics.get(session, "weekly-news"), make.NOW)
        for email, expected in (("ada@example.org", of_ada), ("bob@example.org", of_bob)):
            subscriber = subscribers.find(session, make.id_of(email))
            known = topics.list_topics(session)
            found = preferences.read(subscriber, known, "en", make.NOW)
            assert {topic.slug for topic in found.shown} == set(expected)


@engines
def test_a_topic_with_subscribers_cannot_be_deleted_and_another_can(people: Database) -> None:
    with people.transaction() as session:
        make.topic(session, "unused")
        topic_changes.delete(session, topics.get(session, "unused"))
        assert "unused" not in topics.slugs(session)
        with pytest.raises(TopicInUseError):
            topic_changes.delete(session, topics.get(session, "weekly-news"))
