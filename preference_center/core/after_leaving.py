"""Find emails that were claimed after their subscriber had left. There must be none.

The audience check claims no email to a subscriber who has left. Only an unsubscribe that reaches
the database after the claim can have been made before it: by an import, or from a spool.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby, islice
from operator import attrgetter
from uuid import UUID

from sqlalchemy.orm import Session

from preference_center.core.consent import CLOCK_DIFFERENCE
from preference_center.core.vocab import Scope, Source
from preference_center.store import leaving_queries
from preference_center.store.report_queries import ReportFilter

_FETCH_SIZE = 1000  # rows


class LeftWhen(StrEnum):
    """How an email could be claimed although its subscriber had left."""

    RECORDED_LATER = "recorded_later"  # The unsubscribe reached the database after the claim.
    SAME_MOMENT = "same_moment"  # It was being recorded when the email was claimed.
    ON_RECORD = "on_record"  # It was on record: the audience check was at fault.


@dataclass(frozen=True)
class EmailedAfterLeaving:
    """An email that was claimed after an unsubscribe that covers its topic and still held.

    `left_at` is when the subscriber left, `recorded_at` when that was recorded here; `scope` and
    `source` are those of the unsubscribe.
    """

    subscriber_id: UUID
    topic: str
    campaign: str
    claimed_at: datetime
    left_at: datetime
    recorded_at: datetime
    scope: Scope
    source: Source

    @property
    def when(self) -> LeftWhen:
        """Return how the email could be claimed."""
        if self.recorded_at > self.claimed_at:
            return LeftWhen.RECORDED_LATER
        # A change is recorded with the time at which it began, and committed later.
        if self.claimed_at - self.recorded_at <= CLOCK_DIFFERENCE:
            return LeftWhen.SAME_MOMENT
        return LeftWhen.ON_RECORD


def find(
    session: Session,
    *,
    topic: str | None = None,
    campaign: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[EmailedAfterLeaving]:
    """Yield each email that was claimed in the period, with the unsubscribe on record first."""
    wanted = ReportFilter(topic, campaign, since, until)
    query = leaving_queries.emailed_after_leaving(wanted)
    rows = session.execute(query.execution_options(yield_per=_FETCH_SIZE))
    found = (EmailedAfterLeaving(*row) for row in rows)
    for _, of_email in groupby(found, key=attrgetter("subscriber_id", "topic", "campaign")):
        yield min(of_email, key=attrgetter("recorded_at"))


def count_and_first(
    session: Session,
    limit: int,
    *,
    topic: str | None = None,
    campaign: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[int, list[EmailedAfterLeaving]]:
    """Return how many there are, and at most `limit` of them."""
    rows = find(session, topic=topic, campaign=campaign, since=since, until=until)
    first = list(islice(rows, limit))
    return len(first) + sum(1 for _ in rows), first
