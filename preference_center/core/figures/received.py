"""Whether subscribers who are sent more emails leave more often."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from sqlalchemy.orm import Session

from preference_center.core.api_vocab import EmailsReceived
from preference_center.core.figures.period import Period
from preference_center.core.figures.rates import Rate, rate
from preference_center.store import figure_queries


class Finding(StrEnum):
    """What the rates of those who were sent the most and the fewest emails say."""

    MORE = "more"  # The former leave more often, by more than chance makes likely.
    LESS = "less"
    ALIKE = "alike"
    UNKNOWN = "unknown"  # There are not two rates.


@dataclass(frozen=True)
class Group:
    """The emails to subscribers who were then sent so many within 30 days, and who left."""

    received: EmailsReceived
    emailed: int
    left: int

    @cached_property
    def rate(self) -> Rate | None:
        """Return how many of a thousand emails led to leaving, or None for too few emails."""
        return rate(self.left, self.emailed)


@dataclass(frozen=True)
class Received:
    """The groups with emails, the fewest emails first. `unsent` left without an email before."""

    groups: Sequence[Group]
    unsent: int

    @cached_property
    def rated(self) -> list[tuple[Group, Rate]]:
        """Return the groups that have a rate."""
        return [(each, each.rate) for each in self.groups if each.rate is not None]

    @property
    def finding(self) -> Finding:
        """Return what the rates say. Intervals that overlap say nothing."""
        if len(self.rated) < 2:
            return Finding.UNKNOWN
        (_, fewest), (_, most) = self.rated[0], self.rated[-1]
        if most.low > fewest.high:
            return Finding.MORE
        return Finding.LESS if most.high < fewest.low else Finding.ALIKE


def load(session: Session, period: Period) -> Received:
    """Return the groups of a period. Their emails were claimed in it."""
    emailed, left = Counter[EmailsReceived](), Counter[EmailsReceived]()
    for received, unsubscribed, number in session.execute(figure_queries.received(period.first)):
        (left if unsubscribed else emailed)[received] += int(number)
    groups = [Group(each, emailed[each], left[each]) for each in EmailsReceived]
    return Received([each for each in groups if each.emailed > 0], left[EmailsReceived.NONE])
