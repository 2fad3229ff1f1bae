"""`/subscribers`: what subscribers get, and changes on their behalf."""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, WithJsonSchema

from preference_center.core import on_behalf
from preference_center.core.api_vocab import ApiScope, Outcome
from preference_center.core.on_behalf import SaveOnBehalf, TopicWish
from preference_center.core.vocab import Frequency, Pause
from preference_center.links.addresses import is_mailable
from preference_center.web.api import subscriber_records, test_keys
from preference_center.web.api.arguments import Versions
from preference_center.web.api.models import MAX_EMAIL_LENGTH, Email, LanguageTag, Model, Slug
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Answer, Call, Routes, Uses
from preference_center.web.api.statements import StatementBody
from preference_center.web.api.subscriber_records import ShownSubscriberBody, SubscriberBody

routes = Routes()

MAX_TOPICS = 100

# Clearer than the pattern: unlike where an address is only looked up, it must be one.
_ONE_ADDRESS = {"type": "string", "format": "email", "maxLength": MAX_EMAIL_LENGTH}
_REFUSALS = {
    Outcome.COMPLAINED: "The subscriber reported an email as spam: only they can start a topic.",
    Outcome.NO_EMAIL: "It was stopped, and no confirmation can be emailed to the subscriber.",
    Outcome.ARCHIVED: "The topic is archived.",
    Outcome.CHOSE_LESS: "The subscriber chose to get less: only they can ask for more.",
}


class LookupBody(Model):
    """An address to find."""

    email: Email


class WishBody(Model):
    """What a subscriber wants of a topic. What is missing stays as it is."""

    status: Literal["subscribed", "unsubscribed"]
    frequency: Annotated[Frequency | None, Field(description="At most how often they get it.")] = (
        None
    )
    pause: Annotated[
        Pause | Literal["none"] | None,
        Field(description="For how long from now they do not get it; `none` ends a pause."),
    ] = None

    @property
    def wish(self) -> TopicWish:
        return TopicWish(
            stop=self.status == "unsubscribed",
            frequency=self.frequency,
            pause=self.pause if isinstance(self.pause, Pause) else None,
            resume=self.pause == "none",
        )


class UpsertBody(StatementBody):
    """A subscriber and what they want. An address and a language that are on record stay."""

    email: Annotated[Email, WithJsonSchema(_ONE_ADDRESS)]
    locale: LanguageTag | None = None
    topics: Annotated[
        dict[Slug, WishBody],
        Field(
            min_length=1,
            max_length=MAX_TOPICS,
            json_schema_extra={"additionalProperties": False},
        ),
    ]


class TopicChangeBody(StatementBody, WishBody):
    """What a subscriber wants of one topic."""


class SavedBody(Model):
    """The subscriber after a change, and what it did to each topic."""

    subscriber: SubscriberBody
    outcomes: dict[str, Outcome]


@routes.add(
    "GET",
    "/subscribers/<uuid:subscriber_id>",
    ApiScope.SUBSCRIBERS_READ,
    Uses.READING,
    answers=ShownSubscriberBody,
    problems=(ProblemKind.UNKNOWN_SUBSCRIBER, ProblemKind.TEST_KEY),
)
def show_subscriber(call: Call, subscriber_id: UUID) -> Answer:
    """Show a subscriber.

    `ETag` is the version of what they get, for `If-Match`.
    """
    test_keys.require_reserved_ids(call, [subscriber_id])
    record, headers = subscriber_records.show(call.session, subscriber_id, call.now)
    return Answer(record, headers=headers)


@routes.add(
    "POST",
    "/subscribers/lookup",
    ApiScope.SUBSCRIBERS_READ,
    Uses.READING,
    answers=SubscriberBody,
    problems=(ProblemKind.UNKNOWN_SUBSCRIBER, ProblemKind.TEST_KEY),
)
def look_up_subscriber(call: Call, body: LookupBody) -> Answer:
    """Find a subscriber by address.

    If the address is not on record, the problem has its subscriber `id`, which can be unsubscribed.
    """
    subscriber_id, _ = test_keys.identify(call, body.email)
    record, headers = subscriber_records.read(call.session, subscriber_id)
    return Answer(record, headers=headers)


@routes.add(
    "POST",
    "/subscribers",
    ApiScope.SUBSCRIBERS_WRITE,
    Uses.WRITING,
    answers=SavedBody,
    problems=(ProblemKind.UNKNOWN_TOPIC, ProblemKind.CONFLICT, ProblemKind.TEST_KEY),
)
def save_subscriber(call: Call, body: UpsertBody) -> Answer | Problem:
    """Record a subscriber, and what they want of some topics.

    A topic starts at once if nothing of it was stopped. Otherwise the subscriber is emailed a link
    that starts it: the outcome is `confirmation_sent`. If that is not possible, the answer is 409,
    and the rest of the request is applied.
    """
    subscriber_id, email = test_keys.identify(call, body.email)
    if not is_mailable(email):
        fault = {"pointer": "/email", "detail": "This is not one address that can be emailed."}
        raise Problem(ProblemKind.INVALID_REQUEST, errors=[fault])
    wishes = {slug: each.wish for slug, each in body.topics.items()}
    change = _change(call, subscriber_id, wishes, body, email=email, locale=body.locale)
    return _saved(call, change, "/topics/{slug}")


@routes.add(
    "PUT",
    "/subscribers/<uuid:subscriber_id>/topics/<slug>",
    ApiScope.SUBSCRIBERS_WRITE,
    Uses.WRITING,
    answers=SavedBody,
    problems=(
        ProblemKind.UNKNOWN_TOPIC,
        ProblemKind.UNKNOWN_SUBSCRIBER,
        ProblemKind.CONFLICT,
        ProblemKind.TEST_KEY,
    ),
)
def set_topic(
    call: Call, subscriber_id: UUID, slug: Slug, body: TopicChangeBody, versions: Versions
) -> Answer | Problem:
    """Set what a subscriber gets of a topic.

    It starts as `POST /subscribers` starts it. An unsubscribe is applied for any id.
    """
    test_keys.require_reserved_ids(call, [subscriber_id])
    change = _change(call, subscriber_id, {slug: body.wish}, body, versions=versions)
    return _saved(call, change, "/status")


def _change(
    call: Call,
    subscriber_id: UUID,
    wishes: Mapping[str, TopicWish],
    body: StatementBody,
    *,
    email: str = "",
    locale: str | None = None,
    versions: Collection[str] | None = None,
) -> SaveOnBehalf:
    return SaveOnBehalf(
        subscriber_id,
        wishes,
        body.statement,
        body.context(call),
        smtp=call.app.settings.smtp_url is not None,
        sends=not test_keys.is_test(call),
        email=email,
        locale=locale,
        versions=versions,
    )


def _saved(call: Call, change: SaveOnBehalf, pointer: str) -> Answer | Problem:
    """Make a change. Return a problem if part of it was refused: the rest is applied."""
    outcomes = on_behalf.make(call.session, change, call.now)
    faults = [
        {"pointer": pointer.format(slug=slug), "detail": _REFUSALS[outcome]}
        for slug, outcome in outcomes.items()
        if outcome in _REFUSALS
    ]
    if faults:
        return Problem(ProblemKind.CONFLICT, "The rest is applied.", errors=faults)
    record, headers = subscriber_records.read(call.session, change.subscriber_id)
    body = SavedBody(subscriber=record, outcomes=outcomes)
    return Answer(body, headers=headers, about=change.subscriber_id)
