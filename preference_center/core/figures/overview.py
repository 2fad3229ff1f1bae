"""The figures of the console's first page, in the order of the page."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from preference_center.core import topics
from preference_center.core.figures import (
    checks,
    daily,
    day_notes,
    kept,
    mailings,
    reasons,
    received,
    spikes,
)
from preference_center.core.figures.checks import Check
from preference_center.core.figures.daily import Daily
from preference_center.core.figures.day_notes import DayNote
from preference_center.core.figures.kept import Kept
from preference_center.core.figures.mailings import Mailing
from preference_center.core.figures.period import Period
from preference_center.core.figures.reasons import Reasons
from preference_center.core.figures.received import Received
from preference_center.core.vocab import Frequency
from preference_center.store import figure_queries

_COSTLIEST = 5
_SMALL = 5


@dataclass(frozen=True)
class Overview:
    """All figures of the page.

    `costliest` are the mailings with the highest rates, `small` those with too few emails for one
    that lost the most, and `worst` lost clearly more than others of its topic. `opened` is how
    often a page behind a link was opened. `receiving` says how many receive each topic that is
    still sent, by the frequency that they chose.
    """

    period: Period
    checks: Sequence[Check]
    daily: Daily
    costliest: Sequence[Mailing]
    small: Sequence[Mailing]
    worst: Mailing | None
    reasons: Reasons
    kept: Sequence[Kept]
    received: Received
    opened: int
    receiving: list[tuple[str, Counter[Frequency]]]
    notes: list[DayNote]

    @property
    def troubles(self) -> list[Check]:
        """Return the checks that found something."""
        return [each for each in self.checks if each.is_bad]


def load(session: Session, period: Period) -> Overview:
    """Return the figures of a period."""
    found = mailings.read(session, period)
    return Overview(
        period=period,
        checks=checks.load(session, found, period.now),
        daily=daily.load(session, period),
        costliest=mailings.costliest(found, _COSTLIEST),
        small=spikes.small(found, _SMALL),
        worst=spikes.worst(found),
        reasons=reasons.load(session, period, mailings.asked(found)),
        kept=kept.load(session, period.now),
        received=received.load(session, period),
        opened=sum(each.counts["opened"] for each in found),
        receiving=_receiving(session),
        notes=day_notes.between(session, period.first, period.today),
    )


def _receiving(session: Session) -> list[tuple[str, Counter[Frequency]]]:
    found: dict[str, Counter[Frequency]] = defaultdict(Counter)
    for topic, frequency, number in session.execute(figure_queries.subscribers_by_topic()):
        found[topic][Frequency(frequency)] = int(number)
    return [(slug, found[slug]) for slug in topics.active(session)]
