"""Count who took less instead of leaving, and who left soon after that all the same."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from sqlalchemy.orm import Session

from preference_center.core.vocab import OWN_SOURCES, Event
from preference_center.store import leaving_queries
from preference_center.store.report_queries import ReportFilter

SOON_AFTER = timedelta(days=30)
_LESS = (Event.REDUCED, Event.PAUSED)
_FETCH_SIZE = 1000  # rows


@dataclass(frozen=True)
class Stayed:
    """How many people came to leave, took less instead, and left soon after that.

    Each person counts once for a topic. `came` includes the others.
    """

    came: int
    took_less: int
    left_later: int

    def __add__(self, other: "Stayed") -> "Stayed":
        return Stayed(
            self.came + other.came,
            self.took_less + other.took_less,
            self.left_later + other.left_later,
        )


def stayed(session: Session) -> dict[str, Stayed]:
    """Return for each topic how many of those who came to leave it took less instead."""
    later = Counter(
        topic
        for keys in left_soon_after_less(session, ReportFilter())
        for topic in {topic for _, topic, _ in keys}
    )
    found = session.execute(leaving_queries.people(_LESS, OWN_SOURCES))
    return {topic: Stayed(came, less, later[topic]) for topic, came, less in found}


def left_soon_after_less(
    session: Session, selected: ReportFilter
) -> Iterator[set[tuple[str, str, str]]]:
    """Yield for each subscriber the requests for less after which they left within 30 days.

    Each is given by its month, as `2026-11`, its topic and its campaign, "" for none.
    """
    query = leaving_queries.left_after(selected, _LESS, OWN_SOURCES)
    found = session.execute(query.execution_options(yield_per=_FETCH_SIZE))
    for _, of_subscriber in groupby(found, key=lambda row: row.subscriber_id):
        yield {
            (f"{row.asked_at:%Y-%m}", row.topic, row.campaign or "")
            for row in of_subscriber
            if timedelta(0) <= row.left_at - row.asked_at <= SOON_AFTER
        }
