"""`/audience`: who may be emailed now."""

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from itertools import filterfalse
from typing import Any, BinaryIO
from uuid import UUID

from flask import Response, request
from pydantic import BaseModel

from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.vocab import Decision, DecisionReason
from preference_center.data.campaign_csv import CampaignFile, transactional
from preference_center.data.duplicates import Answer
from preference_center.data.identity import IDENTITY_COLUMNS, require_identity
from preference_center.data.links_csv import read_people
from preference_center.data.tabular import RefusedRow, Row, read_json_lines
from preference_center.links.cleaning import UnclearAddressError, clean
from preference_center.links.server import OWN_CAMPAIGNS
from preference_center.web.api.arguments import JSON
from preference_center.web.api.links import minter_of
from preference_center.web.api.models import Campaign, Query, Slug
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call, Routes, Uses
from preference_center.web.api.streams import CSV, NDJSON, Line, answer_lines
from preference_center.web.api.test_keys import NOT_RESERVED, is_reserved

routes = Routes()
PATH = "/audience"
REFUSED = "refused"


class MessageKind(StrEnum):
    """What kind of email is to be sent."""

    MARKETING = "marketing"  # on a topic, which a person may leave
    TRANSACTIONAL = "transactional"  # that a person needs, like a receipt


class AudienceQuery(Query):
    """What is asked."""

    topic: Slug | None = None
    campaign: Campaign | None = None
    claim: bool = False
    release: bool = False
    kind: MessageKind = MessageKind.MARKETING


class AudienceLine(BaseModel):
    """One line of the answer. A line that was refused has an `error`."""

    line: int | None = None
    email: str | None = None
    id: UUID | None = None
    verdict: Decision | None = None
    reason: DecisionReason | None = None
    until: datetime | None = None
    detail: str | None = None
    unsubscribe_url: str | None = None
    preferences_url: str | None = None
    list_unsubscribe: str | None = None
    list_unsubscribe_post: str | None = None
    list_id: str | None = None
    feedback_id: str | None = None
    event_token: str | None = None
    return_path: str | None = None
    row: dict[str, str] | None = None
    error: str | None = None
    problem: dict[str, Any] | None = None
    done: bool | None = None
    counts: dict[str, int] | None = None


@routes.add(
    "POST",
    PATH,
    ApiScope.AUDIENCE,
    Uses.ITSELF,
    answers=AudienceLine,
    problems=(ProblemKind.UNKNOWN_TOPIC, ProblemKind.CONFLICT),
    takes=(NDJSON, CSV, JSON),
    gives=(NDJSON,),
)
def check_audience(call: Call, query: AudienceQuery) -> Response:
    """Say who may be emailed now, or release claims.

    Each line has an `email` or an `id`. The answer has a line for each of them, in the same order,
    and a last line with `done` and `counts`. Without that line, send nothing. Otherwise send to the
    lines whose `verdict` is `allow`.
    """
    app, is_test = call.app, call.key.kind is ApiKeyKind.TEST
    if query.kind is MessageKind.TRANSACTIONAL:
        _refuse_mailing(query)
        key = app.settings.identity_key

        def make(file: BinaryIO) -> Generator[Line]:
            found = transactional(_rows(file, is_test=is_test), app.database, key)
            return _checked(found, query.kind)

        return answer_lines(make)
    mailing = _mailing(call, query)

    def make_for(file: BinaryIO) -> Generator[Line]:
        rows = _rows(file, is_test=is_test)
        if query.release:
            claims = filterfalse(_is_last_line, rows)
            return _released(mailing.release(claims, app.database, app.clock))
        found = mailing.answers(rows, app.database, app.clock, claim=query.claim, is_test=is_test)
        return _checked(found, query.kind)

    return answer_lines(make_for)


def _mailing(call: Call, query: AudienceQuery) -> CampaignFile:
    """Return the mailing that is asked about."""
    if query.topic is None or query.campaign is None:
        raise _invalid("A topic and a campaign are needed.")
    if query.claim and query.release:
        raise _invalid("claim and release cannot be combined.")
    if query.campaign in OWN_CAMPAIGNS:
        raise _invalid("This campaign name is reserved.")
    minter, day = minter_of(call.app), call.now.date()
    return CampaignFile.opened(call.app.database, minter, query.topic, query.campaign, day)


def _refuse_mailing(query: AudienceQuery) -> None:
    if query.topic is not None or query.campaign is not None or query.claim or query.release:
        raise _invalid("A transactional email has no topic, campaign, claim or release.")


def _invalid(detail: str) -> Problem:
    return Problem(ProblemKind.INVALID_REQUEST, detail)


def _checked(
    found: Iterable[tuple[Row, Answer] | RefusedRow], kind: MessageKind
) -> Generator[Line]:
    counts = Counter[str]()
    for each in found:
        if isinstance(each, RefusedRow):
            counts[REFUSED] += 1
            yield _refused(each)
        else:
            counts[each[1]["verdict"]] += 1
            yield _described(*each, kind)
    yield _done({each: counts[each] for each in (*Decision, REFUSED)})


def _released(found: Iterable[int | RefusedRow]) -> Generator[Line]:
    counts = Counter[str]()
    for each in found:
        if isinstance(each, RefusedRow):
            counts[REFUSED] += 1
            yield _refused(each)
        else:
            counts["released"] += each
    yield _done({each: counts[each] for each in ("released", REFUSED)})


def _done(counts: dict[str, int]) -> Line:
    return {"done": True, "counts": counts}


def _rows(file: BinaryIO, *, is_test: bool) -> Iterable[Row | RefusedRow]:
    """Return the rows of the body, or raise Problem or FileRefusedError."""
    rows: Iterable[Row | RefusedRow]
    if request.mimetype == CSV:
        table = read_people(file)
        table.refuse_repeated(["verdict"])
        require_identity(table.columns)
        rows = table
    elif request.mimetype in (NDJSON, JSON):
        rows = read_json_lines(file)
    else:
        raise Problem(ProblemKind.UNSUPPORTED_TYPE, f"Send {NDJSON} or {CSV}.")
    return map(_for_a_test, rows) if is_test else rows


def _is_last_line(row: Row | RefusedRow) -> bool:
    """Return True for the last line of an answer, which may be sent back with the others."""
    return isinstance(row, Row) and "done" in row.cells and not set(row.cells) & {"email", "id"}


def _for_a_test(row: Row | RefusedRow) -> Row | RefusedRow:
    """Return a row, or refuse it: an id does not say whether its address is reserved."""
    if isinstance(row, RefusedRow):
        return row
    email = row.cells.get("email", "")
    with suppress(UnclearAddressError):
        email = clean(email)
    if is_reserved(email):
        return row
    return row.refused(NOT_RESERVED)


def _refused(row: RefusedRow) -> Line:
    return {"line": row.line, "error": row.why}


def _described(row: Row, answer: Answer, kind: MessageKind) -> Line:
    own = {name: cell for name, cell in row.cells.items() if name not in IDENTITY_COLUMNS}
    if row.cells.get("id", "") not in ("", answer["id"]):
        own["id"] = row.cells["id"]  # of another system
    return {
        "line": row.line,
        **{name: value or None for name, value in answer.items()},
        "detail": _explained(answer, kind),
        **({"row": own} if own else {}),
    }


_EXPLANATIONS = {
    "": "This email may be sent now.",
    DecisionReason.FREQUENCY: "They asked for fewer emails on this topic, and get the next at {}.",
    DecisionReason.PAUSED: "They paused this topic until {}.",
    DecisionReason.UNSUBSCRIBED: "They have unsubscribed from this topic.",
    DecisionReason.SUPPRESSED: (
        "They have unsubscribed from everything or complained, or their address bounced."
    ),
    DecisionReason.UNCONFIRMED: "They have not confirmed that they want this topic.",
    DecisionReason.NOT_SUBSCRIBED: "They have not subscribed to this topic.",
    DecisionReason.UNKNOWN: "The address is not on record, and this topic needs a subscription.",
    DecisionReason.ERASED: "Their data were erased. They must not be emailed again.",
    DecisionReason.DUPLICATE: "An earlier line of this request allows the email to this person.",
}


_ADDRESS_STOPPED = "Every email to this address is stopped, for example because it bounced."


def _explained(answer: Answer, kind: MessageKind) -> str:
    """Return a verdict in words."""
    reason, until = answer["reason"], answer["until"][:16].replace("T", " ")
    if kind is MessageKind.TRANSACTIONAL and reason == DecisionReason.SUPPRESSED:
        return _ADDRESS_STOPPED
    return _EXPLANATIONS[reason].format(f"{until} UTC")
