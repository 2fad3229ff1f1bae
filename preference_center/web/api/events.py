"""`/events`: the feed, which a program reads by a cursor. Requests may wait for the next event."""

import time
from threading import BoundedSemaphore
from typing import Annotated

from flask import request
from pydantic import Field, StringConstraints

from preference_center.core import consumers, feed
from preference_center.core.api_vocab import ApiKeyKind, ApiScope, EventName
from preference_center.core.consumers import Progress
from preference_center.core.errors import CursorExpiredError
from preference_center.core.feed import FeedEvent
from preference_center.core.vocab import Source
from preference_center.web.api.models import Campaign, Model, Query, Slug, SubscriberId
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import PREFIX, Answer, Call, Routes, Uses

routes = Routes()

MAX_EVENTS = 1000  # in one answer
MAX_WAIT_SECONDS = 15  # A server that stops gives each request 20 seconds.
MAX_WAITING = 16  # requests of one process, which has 64 threads
EXPORTS = ("preferences", "suppressions")
_LATEST = "latest"
_POLL_SECONDS = 0.5
_RETRY_SECONDS = 5  # for a request that could not wait

_waiting = BoundedSemaphore(MAX_WAITING)


class EventQuery(Query):
    """Where to read from, and how much."""

    after: Annotated[
        str,
        StringConstraints(pattern=rf"^([0-9a-f]{{16}}|{_LATEST})?$"),
        Field(
            description="The `cursor` of the answer before; `latest` to begin with the next event. "
            "Without it, the answer begins with the oldest event that is kept."
        ),
    ] = ""
    limit: Annotated[int, Field(ge=1, le=MAX_EVENTS)] = 100
    wait: Annotated[
        int,
        Field(
            ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for an event if there is none."
        ),
    ] = 0


class EventData(Model):
    """Whom and what an event is about. It contains no address."""

    subscriber_id: SubscriberId
    topic: Slug | None
    campaign: Campaign | None
    source: Source
    seq: Annotated[int, Field(description="Counts the changes of this subscriber.")]


class EventBody(Model):
    """An event of the feed."""

    id: Annotated[str, Field(description="The same whenever this event is delivered.")]
    type: EventName
    timestamp: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    data: EventData


class EventList(Model):
    """Events in their order, and where to go on."""

    events: list[EventBody]
    cursor: Annotated[str, Field(description="The value of `after` for the next request.")]


@routes.add(
    "GET",
    "/events",
    ApiScope.EVENTS,
    Uses.ITSELF,
    answers=EventList,
    problems=(ProblemKind.CURSOR_EXPIRED, ProblemKind.TEST_KEY),
)
def list_events(call: Call, query: EventQuery) -> Answer:
    """Read the feed of events.

    Each event is there once, in an order that never changes. A cursor acknowledges the events
    before it. One that is older than 30 days gets 410: then export preferences and suppressions,
    and go on with the `cursor` of the problem.
    """
    if call.key.kind is ApiKeyKind.TEST:
        raise Problem(ProblemKind.TEST_KEY)
    start = _start(call, query.after)
    waits = query.wait > 0 and _waiting.acquire(blocking=False)
    try:
        events = _read(call, start, query.limit, query.wait if waits else 0)
    finally:
        if waits:
            _waiting.release()
    reached = events[-1].position if events else start
    _note_progress(call, Progress(acknowledged=start, fetched=reached))
    cursor = cursor_of(reached)
    url = f"{call.app.settings.public_url}{PREFIX}/events?after={cursor}"
    headers = {"Link": f'<{url}>; rel="next"'}
    if query.wait and not waits:
        headers["Retry-After"] = str(_RETRY_SECONDS)
    found = [EventBody.model_validate(each.payload(), strict=False) for each in events]
    return Answer(EventList(events=found, cursor=cursor), headers=headers)


def cursor_of(position: int) -> str:
    """Return the cursor of a position in the feed."""
    return f"{position:016x}"


def _start(call: Call, after: str) -> int:
    if after not in ("", _LATEST):
        return int(after, 16)
    with call.app.database.reading() as session:
        if after == _LATEST:
            return feed.last_position(session)
        return feed.first_position(session, call.now)


def _read(call: Call, start: int, limit: int, wait: float) -> list[FeedEvent]:
    """Return the next events. If there are none, look again until some seconds have passed."""
    give_up = time.monotonic() + wait
    while True:
        with call.app.database.reading() as session:
            try:
                events = feed.read(session, start, limit, call.app.clock())
            except CursorExpiredError as error:
                now = cursor_of(feed.last_position(session))
                detail = f"{error}. Export these, then go on with this cursor."
                kind = ProblemKind.CURSOR_EXPIRED
                raise Problem(kind, detail, cursor=now, exports=EXPORTS) from None
        if events or (left := give_up - time.monotonic()) <= 0:
            return events
        time.sleep(min(_POLL_SECONDS, left))


def _note_progress(call: Call, progress: Progress) -> None:
    """Record how far this key has read. The answer to a HEAD request has no events."""
    if request.method != "GET":
        return
    with call.app.database.reading() as session:
        known = consumers.progress(session, call.key.id)
    if known != progress:
        with call.app.database.transaction() as session:
            consumers.note_progress(session, call.key.id, progress, call.now)
