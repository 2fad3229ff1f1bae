"""Topics: adding, describing, translating and archiving them."""

import pytest

from preference_center.core import topics
from preference_center.core.errors import (
    InvalidTopicError,
    TopicExistsError,
    UnknownTopicError,
)
from preference_center.store import Database
from tests.support import make


@pytest.mark.parametrize("slug", ["", "Weekly", "weekly news", "x" * 33, "é", "a_b", "news\n"])
def test_a_slug_that_is_invalid_in_a_link_is_refused(database: Database, slug: str) -> None:
    with database.transaction() as session, pytest.raises(InvalidTopicError):
        make.topic(session, slug, name="News")


@pytest.mark.parametrize(
    ("name", "description"),
    [("", ""), (" ", ""), ("a\nb", ""), ("a\rb", ""), ("x" * 101, ""), ("a", "x" * 1001)],
)
def test_an_invalid_name_or_description_is_refused(
    database: Database, name: str, description: str
) -> None:
    with database.transaction() as session:
        topic = make.topic(session)
        with pytest.raises(InvalidTopicError):
            topics.describe(topic, "en", name, description)


def test_a_topic_cannot_be_added_twice(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session)
        with pytest.raises(TopicExistsError):
            make.topic(session)


def test_two_topics_cannot_share_a_mailto_code(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "topic_code", lambda slug: b"\0\0\0\0\0")
    with database.transaction() as session:
        make.topic(session)
        with pytest.raises(TopicExistsError, match="choose another slug"):
            make.topic(session, "offers")


def test_a_description_can_be_replaced(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session)
    with database.transaction() as session:
        topics.describe(topics.get(session, "weekly-news"), "en", " The week ", "Every Friday.")
    with database.reading() as session:
        text = topics.text(topics.get(session, "weekly-news"), "en")
        assert (text.name, text.description) == ("The week", "Every Friday.")


@pytest.mark.parametrize(
    ("locale", "name"), [("de", "Woche"), ("de-AT", "Woche"), ("fr", "Week"), ("en", "Week")]
)
def test_a_name_falls_back_to_the_nearest_language(
    database: Database, locale: str, name: str
) -> None:
    with database.transaction() as session:
        topic = make.topic(session, name="Week")
        topics.describe(topic, "de", "Woche", "")
        assert topics.name(topic, locale) == name


def test_an_unknown_topic_is_refused_by_name(database: Database) -> None:
    with database.reading() as session, pytest.raises(UnknownTopicError, match="offers"):
        topics.get(session, "offers")


def test_an_unknown_slug_becomes_a_private_opt_in_topic(database: Database) -> None:
    with database.transaction() as session:
        topics.ensure(session, ["spring-sale"], make.NOW)
        topic = topics.get(session, "spring-sale")
        assert (topic.visibility, topic.policy) == ("hidden", "opt_in")
        assert topics.name(topic, "en") == "Spring sale"


def test_an_existing_topic_is_left_unchanged(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out", name="The week")
    with database.transaction() as session:
        topics.ensure(session, ["weekly-news"], make.NOW)
        found = topics.get(session, "weekly-news")
        assert (found.policy, topics.name(found, "en")) == ("opt_out", "The week")


def test_archiving_again_keeps_the_first_date(database: Database) -> None:
    with database.transaction() as session:
        topic = make.topic(session)
        topics.archive(topic, make.NOW)
        topics.archive(topic, make.NOW.replace(year=2030))
        assert topic.archived_at == make.NOW


def test_topics_are_sorted_by_the_bytes_of_their_slugs(database: Database) -> None:
    with database.transaction() as session:
        for slug in ("b-1", "a", "b", "b1", "-", "0"):
            make.topic(session, slug, name=slug)
        slugs = [topic.slug for topic in topics.list_topics(session)]
        assert slugs == sorted(slugs)
