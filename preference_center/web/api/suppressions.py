"""`/suppressions`: the unsubscribes from all topics, and from every email to an address."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from preference_center.core import on_behalf
from preference_center.core import suppressions as stops
from preference_center.core.api_vocab import ApiScope
from preference_center.core.change import Target
from preference_center.core.on_behalf import StopOnBehalf
from preference_center.core.suppressions import SuppressedSubscriber
from preference_center.core.vocab import Scope
from preference_center.web.api import test_keys
from preference_center.web.api.cursors import Cursors, PageQuery
from preference_center.web.api.models import Email, Model
from preference_center.web.api.problems import ProblemKind
from preference_center.web.api.routes import Answer, Call, Routes, Uses
from preference_center.web.api.statements import StatementBody
from preference_center.web.api.stops import StoppedBody
from preference_center.web.api.subscriber_records import SubscriberSuppressionBody

routes = Routes()
_cursors = Cursors("suppressions")

MAX_CHECKED = 1000


class SuppressionBody(SubscriberSuppressionBody):
    """A suppression. The address is null if it is not known or was erased."""

    id: UUID
    email: str | None


class SuppressionList(Model):
    """Suppressions, in the order of subscriber ids."""

    suppressions: list[SuppressionBody]


class NewSuppressionBody(StatementBody):
    """An address to suppress: for `all` topics, or for every email."""

    email: Email
    scope: Literal["all", "address"] = "address"


class CheckBody(Model):
    """Addresses to check."""

    emails: Annotated[list[Email], Field(min_length=1, max_length=MAX_CHECKED)]


class CheckedBody(Model):
    """The suppressions of an address; there may be none."""

    email: str
    id: UUID
    suppressions: list[SubscriberSuppressionBody]


class CheckedList(Model):
    """The addresses that were asked about, in their order."""

    checked: list[CheckedBody]


@routes.add(
    "GET",
    "/suppressions",
    ApiScope.SUPPRESSIONS,
    Uses.READING,
    answers=SuppressionList,
    problems=(ProblemKind.NOT_FOUND,),
)
def list_suppressions(call: Call, query: PageQuery) -> Answer:
    """List all suppressions, in the order of subscriber ids.

    `Link` with `rel="next"` leads to the next page, if there is one. A test key gets those of
    reserved addresses only; a page may then be short.
    """
    position = _cursors.read(call, query.after)
    after = (UUID(position[0]), Scope(position[1])) if position is not None else None
    found = stops.page(call.session, after, query.limit + 1)
    shown = found[: query.limit]
    headers = {}
    if len(found) > len(shown):
        headers = _cursors.next_page(call, [str(shown[-1].subscriber_id), shown[-1].scope])
    hides = test_keys.is_test(call)
    bodies = [_listed(each) for each in shown if not hides or test_keys.is_reserved(each.email)]
    return Answer(SuppressionList(suppressions=bodies), headers=headers)


@routes.add(
    "POST",
    "/suppressions",
    ApiScope.SUPPRESSIONS,
    Uses.WRITING,
    answers=StoppedBody,
    problems=(ProblemKind.TEST_KEY,),
)
def suppress(call: Call, body: NewSuppressionBody) -> Answer:
    """Suppress an address. Nothing by API ends a suppression."""
    subscriber_id, email = test_keys.identify(call, body.email)
    context = body.context(call)
    change = StopOnBehalf(subscriber_id, Target(Scope(body.scope)), context, email=email)
    result = on_behalf.make(call.session, change, call.now)
    return Answer(StoppedBody(id=subscriber_id, changed=result.changed), about=subscriber_id)


@routes.add(
    "POST",
    "/suppressions/check",
    ApiScope.SUPPRESSIONS,
    Uses.READING,
    problems=(ProblemKind.TEST_KEY,),
)
def check_suppressions(call: Call, body: CheckBody) -> CheckedList:
    """Show the suppressions of some addresses.

    Whether a topic may be emailed is a question for `POST /audience`.
    """
    people = [test_keys.identify(call, each)[0] for each in body.emails]
    found = stops.of(call.session, people)
    return CheckedList(
        checked=[
            CheckedBody(email=email, id=each, suppressions=_own(found.get(each, [])))
            for email, each in zip(body.emails, people, strict=True)
        ]
    )


def _own(found: list[SuppressedSubscriber]) -> list[SubscriberSuppressionBody]:
    return [
        SubscriberSuppressionBody(scope=each.scope, since=each.since, source=each.source)
        for each in found
    ]


def _listed(stop: SuppressedSubscriber) -> SuppressionBody:
    return SuppressionBody(
        scope=stop.scope,
        since=stop.since,
        source=stop.source,
        id=stop.subscriber_id,
        email=stop.email,
    )
