"""`/topics`: the topics of this installation."""

from datetime import datetime

from preference_center.core import topics
from preference_center.core.vocab import ApiScope, Cadence, TopicPolicy
from preference_center.web.api.models import Model, Slug
from preference_center.web.api.routes import Call, Routes, Uses

routes = Routes()


class TopicTextBody(Model):
    """A topic's name and description in one language."""

    name: str
    description: str


class TopicBody(Model):
    """A topic. `texts` are by language tag."""

    slug: Slug
    policy: TopicPolicy
    cadence: Cadence
    public: bool
    change_notices: bool
    created_at: datetime
    archived_at: datetime | None
    texts: dict[str, TopicTextBody]


class TopicList(Model):
    """All topics."""

    topics: list[TopicBody]


@routes.add("GET", "/topics", ApiScope.TOPICS, Uses.READING)
def list_topics(call: Call) -> TopicList:
    """List all topics, private and archived ones too, by slug."""
    return TopicList(
        topics=[
            TopicBody(
                slug=each.slug,
                policy=each.policy,
                cadence=each.cadence,
                public=each.public,
                change_notices=each.change_notices,
                created_at=each.created_at,
                archived_at=each.archived_at,
                texts={
                    locale: TopicTextBody(name=text.name, description=text.description)
                    for locale, text in sorted(each.texts.items())
                },
            )
            for each in topics.list_topics(call.session)
        ]
    )
