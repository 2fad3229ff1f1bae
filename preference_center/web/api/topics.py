"""`/topics`: the topics of this installation."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from preference_center.core import topic_changes, topics
from preference_center.core.api_vocab import ApiScope
from preference_center.core.topic_changes import TopicChange
from preference_center.core.topics import NewTopic
from preference_center.core.vocab import Cadence, TopicPolicy, TopicVisibility
from preference_center.web.api.models import Line, Model, Query, Slug, Text
from preference_center.web.api.problems import ProblemKind
from preference_center.web.api.routes import Call, Routes, Uses

routes = Routes()

_UNKNOWN = (ProblemKind.UNKNOWN_TOPIC,)


class TopicTextBody(Model):
    """A topic's name and description in one language."""

    name: Annotated[Line, Field(min_length=1, max_length=100)]
    description: Annotated[Text, Field(max_length=1000)] = ""


class NewTopicBody(Model):
    """A topic to add, with its texts in English."""

    slug: Slug
    name: Annotated[Line, Field(max_length=100)] = ""
    description: Annotated[Text, Field(max_length=1000)] = ""
    policy: TopicPolicy = TopicPolicy.OPT_IN
    cadence: Cadence = Cadence.IRREGULAR
    visibility: TopicVisibility = TopicVisibility.PUBLIC
    change_notices: bool = True


class TopicBody(Model):
    """A topic. `texts` are by language tag."""

    slug: Slug
    policy: TopicPolicy
    cadence: Cadence
    visibility: TopicVisibility
    change_notices: bool
    created_at: datetime
    archived_at: datetime | None
    texts: dict[str, TopicTextBody]

    @classmethod
    def of(cls, topic: topics.Topic) -> Self:
        """Return the model of a topic."""
        return cls(
            slug=topic.slug,
            policy=topic.policy,
            cadence=topic.cadence,
            visibility=topic.visibility,
            change_notices=topic.change_notices,
            created_at=topic.created_at,
            archived_at=topic.archived_at,
            texts={
                locale: TopicTextBody(name=text.name, description=text.description)
                for locale, text in sorted(topic.texts.items())
            },
        )


class TopicList(Model):
    """All topics."""

    topics: list[TopicBody]


class AudienceBody(Model):
    """How many subscribers a topic concerns; `silent` ones have made no choice about it."""

    subscribed: int
    unsubscribed: int
    unconfirmed: int
    silent: int
    receiving: int

    @classmethod
    def of(cls, audience: topic_changes.Audience) -> Self:
        """Return the model of these counts."""
        return cls(**vars(audience))


class TopicChangeBody(Model):
    """What to change; a member that is left out is kept."""

    policy: TopicPolicy | None = None
    cadence: Cadence | None = None
    visibility: TopicVisibility | None = None
    change_notices: bool | None = None
    archived: bool | None = None
    texts: dict[str, TopicTextBody] = {}  # noqa: RUF012 (pydantic copies it)


class ChangeQuery(Query):
    """Whether to change the topic, or only to say what the change would mean."""

    dry_run: bool = False


class ChangedTopic(Model):
    """A topic, and whom it concerns before and after the change."""

    topic: TopicBody
    before: AudienceBody
    after: AudienceBody


@routes.add("GET", "/topics", ApiScope.TOPICS, Uses.READING)
def list_topics(call: Call) -> TopicList:
    """List all topics in their order, including hidden, internal and archived ones."""
    return TopicList(topics=[TopicBody.of(each) for each in topics.list_topics(call.session)])


@routes.add(
    "POST",
    "/topics",
    ApiScope.TOPICS,
    Uses.WRITING,
    status=201,
    problems=(ProblemKind.CONFLICT,),
)
def add_topic(call: Call, body: NewTopicBody) -> TopicBody:
    """Add a topic."""
    name = body.name or topics.name_from_slug(body.slug)
    new = NewTopic(**{**body.model_dump(), "name": name})
    return TopicBody.of(topics.add(call.session, new, call.now))


@routes.add("GET", "/topics/<slug>", ApiScope.TOPICS, Uses.READING, problems=_UNKNOWN)
def show_topic(call: Call, slug: Slug) -> ChangedTopic:
    """Show a topic and how many subscribers it concerns."""
    topic = topics.get(call.session, slug)
    audience = AudienceBody.of(topic_changes.audience(call.session, topic))
    return ChangedTopic(topic=TopicBody.of(topic), before=audience, after=audience)


@routes.add(
    "PATCH",
    "/topics/<slug>",
    ApiScope.TOPICS,
    Uses.WRITING,
    problems=(*_UNKNOWN, ProblemKind.CONFLICT),
)
def change_topic(call: Call, slug: Slug, query: ChangeQuery, body: TopicChangeBody) -> ChangedTopic:
    """Change a topic, and say how many subscribers receive it before and after.

    The choices that subscribers have made are kept. With `dry_run=true`, nothing is changed.
    """
    topic = topics.get(call.session, slug)
    change = TopicChange(**body.model_dump(exclude={"texts"}))
    before = topic_changes.audience(call.session, topic)
    after = topic_changes.audience(call.session, topic, change)
    if not query.dry_run:
        change.apply(topic, call.now)
        for locale, text in body.texts.items():
            topics.describe(topic, locale, text.name, text.description)
    return ChangedTopic(
        topic=TopicBody.of(topic), before=AudienceBody.of(before), after=AudienceBody.of(after)
    )


@routes.add(
    "DELETE",
    "/topics/<slug>",
    ApiScope.TOPICS,
    Uses.WRITING,
    status=204,
    problems=(*_UNKNOWN, ProblemKind.CONFLICT),
)
def delete_topic(call: Call, slug: Slug) -> None:
    """Delete a topic that no subscriber has made a choice about; archive any other."""
    topic_changes.delete(call.session, topics.get(call.session, slug))
