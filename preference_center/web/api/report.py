"""`/report`: what mailings led to, and who was emailed after leaving."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field

from preference_center.core import after_leaving, report
from preference_center.core.after_leaving import EmailedAfterLeaving, LeftWhen
from preference_center.core.api_vocab import ApiKeyKind, ApiScope, ReportBy
from preference_center.core.report import ReportRequest, ReportRow
from preference_center.core.report_counts import LEFT_BY, REASONS
from preference_center.core.vocab import ReasonCode, Scope, Source
from preference_center.web.api.models import Campaign, Model, Query, Slug, Time
from preference_center.web.api.problems import Problem, ProblemKind
from preference_center.web.api.routes import Call, Routes, Uses

routes = Routes()

DEFAULT_PERIOD = timedelta(days=7)


class ReportQuery(Query):
    """What the report shows."""

    by: ReportBy = ReportBy.MAILING
    topic: Slug | None = None
    campaign: Campaign | None = None
    since: Time | None = None
    until: Time | None = None
    compare: Annotated[bool, Field(description="Add the mailing, month or period before.")] = False
    sort: Annotated[str, Field(pattern="^rate$")] | None = None


class Rated(Model):
    """How many were emailed, how many left, and the rate; null if it is not known."""

    emailed: int | None
    left: int
    left_per_thousand: Annotated[
        float | None,
        Field(description="Left by a page, one-click, email, a provider or a complaint."),
    ]


class ReportRowBody(Rated):
    """A row. `month`, `topic` or `campaign` is null if the row is not about one.

    `topic` is "" for all topics at once, and `campaign` for none. `subscribers` is how many there
    were at the end, in rows by topic and month.
    """

    month: str | None
    topic: str | None
    campaign: str | None
    left_everything: int
    left_by: dict[Source, int]
    joined: int
    subscribers: int | None
    opened: int
    reduced: int
    paused: int
    undone: int
    came_back: int
    reasons: dict[ReasonCode, int]
    previous: Rated | None


class Report(Model):
    """The rows of a report."""

    by: ReportBy
    rows: list[ReportRowBody]


class AfterLeavingQuery(Query):
    """Which claims to look at: those of the last seven days unless `since` says otherwise."""

    topic: Slug | None = None
    campaign: Campaign | None = None
    since: Time | None = None
    until: Time | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class AfterLeavingBody(Model):
    """An email that was claimed after its subscriber had left.

    `left_at` is when the subscriber left, `recorded_at` when that was recorded. `when` is
    `recorded_later` if that was after the claim, `same_moment` if both happened within a minute,
    and `on_record` if the audience check was at fault.
    """

    subscriber_id: UUID
    topic: str
    campaign: str
    claimed_at: datetime
    left_at: datetime
    recorded_at: datetime
    scope: Scope
    source: Source
    when: LeftWhen


class AfterLeavingList(Model):
    """How many there are, and the first of them."""

    since: datetime
    count: int
    emails: list[AfterLeavingBody]


@routes.add(
    "GET",
    "/report",
    ApiScope.REPORTS,
    Uses.READING,
    answers=Report,
    problems=(ProblemKind.UNKNOWN_TOPIC,),
)
def get_report(call: Call, query: ReportQuery) -> Report:
    """Show how many were emailed, who left and how, and who joined.

    Every unsubscribe is in exactly one row. `compare` adds the mailing or month before or, by
    topic, the period before `since`.
    """
    request = ReportRequest(
        by=query.by,
        topic=query.topic,
        campaign=query.campaign,
        since=query.since,
        until=query.until or (call.now if query.compare else None),
        compare=query.compare,
        by_rate=query.sort is not None,
        less=False,
    )
    rows = report.load(call.session, request)
    return Report(by=query.by, rows=[_row(each, report.KEYS[query.by]) for each in rows])


@routes.add(
    "GET",
    "/report/emailed-after-leaving",
    ApiScope.REPORTS,
    Uses.READING,
    problems=(ProblemKind.TEST_KEY,),
)
def list_emailed_after_leaving(call: Call, query: AfterLeavingQuery) -> AfterLeavingList:
    """List emails that were claimed after their subscriber had left. There must be none."""
    if call.key.kind is ApiKeyKind.TEST:
        raise Problem(ProblemKind.TEST_KEY, "A test key reads nothing about subscribers.")
    since = query.since or (query.until or call.now) - DEFAULT_PERIOD
    count, found = after_leaving.count_and_first(
        call.session,
        query.limit,
        topic=query.topic,
        campaign=query.campaign,
        since=since,
        until=query.until,
    )
    return AfterLeavingList(since=since, count=count, emails=[_email(each) for each in found])


def _row(row: ReportRow, keys: tuple[str, ...]) -> ReportRowBody:
    return ReportRowBody(
        **vars(_rated(row)),
        month=row.month if "month" in keys else None,
        topic=row.topic if "topic" in keys else None,
        campaign=row.campaign if "campaign" in keys else None,
        left_everything=row.counts["left_everything"],
        left_by={source: row.counts[column] for source, column in LEFT_BY.items()},
        joined=row.counts["joined"],
        subscribers=row.subscribers,
        opened=row.counts["opened"],
        reduced=row.counts["reduced"],
        paused=row.counts["paused"],
        undone=row.counts["undone"],
        came_back=row.counts["came_back"],
        reasons={code: row.counts[column] for column, code in REASONS.items()},
        previous=_rated(row.previous) if row.previous is not None else None,
    )


def _rated(row: ReportRow) -> Rated:
    return Rated(
        emailed=row.counts["emailed"] or None,
        left=row.counts["left"],
        left_per_thousand=row.rate,
    )


def _email(each: EmailedAfterLeaving) -> AfterLeavingBody:
    return AfterLeavingBody(**vars(each), when=each.when)
