"""`/subscribers/{id}/history`: one subscriber's rows of the ledger."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from preference_center.core import ledger_pages, subscribers
from preference_center.core.api_vocab import ApiScope
from preference_center.core.ledger_pages import WordedEntry
from preference_center.core.vocab import Event, Scope, Source
from preference_center.web.api import test_keys
from preference_center.web.api.cursors import Cursors, PageQuery
from preference_center.web.api.models import Model
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Answer, Call, Routes, Uses

routes = Routes()
_cursors = Cursors("history")


class RecordedChangeBody(Model):
    """A row of the ledger. What an erasure deletes is null after it."""

    seq: int
    event: Event
    scope: Scope
    topic: str | None
    source: Source
    campaign: str | None
    occurred_at: datetime
    recorded_at: datetime
    wording: str | None
    stated_source: Annotated[
        str, Field(description="How it came about, in the words of the sender; may be empty.")
    ]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class HistoryBody(Model):
    """Rows of the ledger, oldest first."""

    changes: list[RecordedChangeBody]


@routes.add(
    "GET",
    "/subscribers/<uuid:subscriber_id>/history",
    ApiScope.SUBSCRIBERS_READ,
    Uses.READING,
    answers=HistoryBody,
    problems=(ProblemKind.UNKNOWN_SUBSCRIBER, ProblemKind.TEST_KEY),
)
def list_history(call: Call, subscriber_id: UUID, query: PageQuery) -> Answer:
    """List everything that was recorded about a subscriber, oldest first.

    `Link` with `rel="next"` leads to the next page, if there is one.
    """
    test_keys.require_reserved_ids(call, [subscriber_id])
    position = _cursors.read(call, query.after)
    after = position[0] if position is not None else 0
    found = ledger_pages.page(call.session, subscriber_id, after, query.limit + 1)
    if not found and subscribers.find(call.session, subscriber_id) is None:
        raise Problem(ProblemKind.UNKNOWN_SUBSCRIBER)
    shown = found[: query.limit]
    more = len(found) > len(shown)
    headers = _cursors.next_page(call, [shown[-1].entry.seq]) if more else {}
    return Answer(HistoryBody(changes=[_body(each) for each in shown]), headers=headers)


def _body(worded: WordedEntry) -> RecordedChangeBody:
    entry = worded.entry
    return RecordedChangeBody(
        seq=entry.seq,
        event=entry.event,
        scope=entry.scope,
        topic=entry.topic,
        source=entry.source,
        campaign=entry.campaign,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        wording=worded.wording,
        stated_source=entry.stated_source,
        before=dict(entry.before) if entry.before is not None else None,
        after=dict(entry.after) if entry.after is not None else None,
    )
