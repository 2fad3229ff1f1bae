"""The days that a page of figures is about."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from preference_center.store.report_queries import ReportFilter, day_of


class Span(StrEnum):
    """How many whole days a page is about."""

    WEEK = "7"
    MONTH = "30"
    QUARTER = "90"
    YEAR = "365"

    @property
    def days(self) -> int:
        return int(self.value)


@dataclass(frozen=True)
class Period:
    """The whole days of a span that ended last midnight, and today until now. Days are in UTC."""

    span: Span
    now: datetime

    @property
    def today(self) -> date:
        return day_of(self.now)

    @property
    def first(self) -> date:
        """Return the first day of the span."""
        return self.today - timedelta(days=self.span.days)

    @property
    def before(self) -> date:
        """Return the first day of the span before, which is as long."""
        return self.first - timedelta(days=self.span.days)

    @property
    def since(self) -> datetime:
        """Return the beginning of the first day."""
        return midnight(self.first)

    @property
    def days(self) -> list[date]:
        """Return the days of the span, and today."""
        return [self.first + timedelta(days=each) for each in range(self.span.days + 1)]

    def filter(self, topic: str | None = None, campaign: str | None = None) -> ReportFilter:
        """Return what selects the changes of these days."""
        return ReportFilter(topic, campaign, self.since)


def midnight(day: date) -> datetime:
    """Return the beginning of a day."""
    return datetime.combine(day, time(), UTC)
