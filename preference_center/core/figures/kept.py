"""Whether less kept them: who asked for fewer emails or a pause, and was still here later.

This follows the rows of the ledger in which subscribers asked for less, which have an index of
their own, within a window of fixed length. Its cost does not grow with the ledger.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from preference_center.core.figures.period import midnight
from preference_center.store import leaving_queries
from preference_center.store.report_queries import day_of

WINDOW = timedelta(days=30)
AFTER = (timedelta(days=30), timedelta(days=90))
MAX_FOLLOWED = 1000  # That is exact enough: 3 % to each side, with 95 % confidence.


@dataclass(frozen=True)
class Kept:
    """Of those who asked for less in the 30 days that ended `days` ago, how many stayed so long.

    A subscriber counts once for a topic. `asked` is at most MAX_FOLLOWED, the newest.
    """

    days: int
    asked: int
    stayed: int


def load(session: Session, now: datetime) -> list[Kept]:
    """Return who stayed, for each of AFTER."""
    return [_kept(session, after, now) for after in AFTER]


def _kept(session: Session, after: timedelta, now: datetime) -> Kept:
    until = midnight(day_of(now)) - after
    found = session.execute(leaving_queries.followed(until - WINDOW, until, MAX_FOLLOWED)).all()
    stayed = (row for row in found if row.left_at is None or row.left_at - row.asked_at > after)
    return Kept(after.days, sum(row.number for row in found), sum(row.number for row in stayed))
