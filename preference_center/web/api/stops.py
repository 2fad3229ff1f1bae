"""`/subscribers/{id}/unsubscribe` and `/erase`: for any id, also one that is not on record."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from preference_center.core import erasure, on_behalf, unacknowledged
from preference_center.core.api_vocab import ApiScope
from preference_center.core.change import Target
from preference_center.core.on_behalf import StopOnBehalf
from preference_center.core.vocab import Scope, Source
from preference_center.web.api import test_keys
from preference_center.web.api.models import Model, Slug
from preference_center.web.api.problems import ProblemKind
from preference_center.web.api.routes import Answer, Call, Routes, Uses
from preference_center.web.api.statements import StatementBody

routes = Routes()

_TOPIC_WITH_ITS_SCOPE: dict[str, Any] = {
    "if": {"properties": {"scope": {"const": "topic"}}, "required": ["scope"]},
    "then": {"properties": {"topic": {"type": "string"}}, "required": ["topic"]},
    "else": {"properties": {"topic": {"type": "null"}}},
}


class UnsubscribeBody(StatementBody):
    """What ends: a `topic`, `all` topics, also later ones, or every email to the `address`."""

    model_config = ConfigDict(json_schema_extra=_TOPIC_WITH_ITS_SCOPE)

    scope: Scope
    topic: Slug | None = None

    @model_validator(mode="after")
    def _check_topic(self) -> "UnsubscribeBody":
        if (self.scope is Scope.TOPIC) != (self.topic is not None):
            raise ValueError("a topic is named if, and only if, the scope is topic")
        return self


class StoppedBody(Model):
    """Whether an unsubscribe changed anything: one on record keeps its time."""

    id: UUID
    changed: bool


class ErasedBody(Model):
    """Whether a subscriber is erased now: False if they were erased before."""

    id: UUID
    erased: bool
    waits_until: Annotated[
        datetime | None,
        Field(
            description="Until when, at most, it waits for webhooks and readers of the feed to "
            "acknowledge the erasure; null if it does not wait."
        ),
    ]


@routes.add(
    "POST",
    "/subscribers/<uuid:subscriber_id>/unsubscribe",
    ApiScope.SUBSCRIBERS_WRITE,
    Uses.WRITING,
    answers=StoppedBody,
    problems=(ProblemKind.UNKNOWN_TOPIC, ProblemKind.TEST_KEY),
)
def unsubscribe(call: Call, subscriber_id: UUID, body: UnsubscribeBody) -> Answer:
    """Unsubscribe a subscriber, who need not be on record."""
    test_keys.require_reserved_ids(call, [subscriber_id])
    change = StopOnBehalf(subscriber_id, Target(body.scope, body.topic), body.context(call))
    result = on_behalf.make(call.session, change, call.now)
    return Answer(StoppedBody(id=subscriber_id, changed=result.changed), about=subscriber_id)


@routes.add(
    "POST",
    "/subscribers/<uuid:subscriber_id>/erase",
    ApiScope.SUBSCRIBERS_WRITE,
    Uses.WRITING,
    problems=(ProblemKind.TEST_KEY,),
)
def erase(call: Call, subscriber_id: UUID) -> ErasedBody:
    """Erase a subscriber permanently.

    The id and a suppression stay, so that no import makes the address receive email again. The
    address is held, encrypted, until every webhook and every reader of the feed has acknowledged
    the erasure, for 7 days at most; `GET /subscribers/{id}` shows it.
    """
    test_keys.require_reserved_ids(call, [subscriber_id])
    erased = erasure.erase(call.session, [subscriber_id], Source.API, call.now)
    held = unacknowledged.find(call.session, subscriber_id, call.now)
    waits_until = held.until if held is not None else None
    return ErasedBody(id=subscriber_id, erased=bool(erased), waits_until=waits_until)
