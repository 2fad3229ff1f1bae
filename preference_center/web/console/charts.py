"""Where the shapes of a chart are. A template draws them as SVG, stretched to the page's width."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from preference_center.core.figures.day_notes import DayNote

HEIGHT = 100.0
STEP = 10.0  # the width of a day
_GAP = 1.0  # on both sides of a bar
_MARGIN = 0.08  # of a line's range, above and below it


@dataclass(frozen=True)
class Point:
    """A day and its value. `x` is its left edge, `y` the height of its value from the top."""

    day: date
    value: int
    x: float
    y: float


@dataclass(frozen=True)
class Chart:
    """A chart of days. `high` and `low` are the values at its upper and its lower edge.

    `today` is not over: its bar may still grow. `notes` are the texts of the days that have some.
    """

    points: list[Point]
    high: int
    low: int
    today: date
    notes: Mapping[date, list[str]] = field(default_factory=dict)

    @property
    def width(self) -> float:
        return STEP * len(self.points)

    @property
    def line(self) -> str:
        """Return the points of a line through the middle of the days."""
        return " ".join(f"{each.x + STEP / 2:g},{each.y:g}" for each in self.points)

    @property
    def marks(self) -> list[Point]:
        """Return the days with notes."""
        return [each for each in self.points if each.day in self.notes]

    def noted(self, notes: Iterable[DayNote]) -> "Chart":
        """Return the chart with the notes of its days."""
        texts: dict[date, list[str]] = defaultdict(list)
        for each in notes:
            texts[each.day].append(each.text)
        return replace(self, notes=texts)

    def bar(self, point: Point) -> dict[str, float]:
        """Return the attributes of a bar."""
        height = round(HEIGHT - point.y, 2)
        return {"x": point.x + _GAP, "y": point.y, "width": STEP - 2 * _GAP, "height": height}


def bars(days: Sequence[tuple[date, int]], today: date) -> Chart:
    """Return a chart of bars, which begin at 0."""
    return _chart(days, today, 0, max((value for _, value in days), default=0))


def line(days: Sequence[tuple[date, int]], today: date) -> Chart:
    """Return a chart of a line, from its lowest to its highest value."""
    values = [value for _, value in days]
    return _chart(days, today, min(values, default=0), max(values, default=0), _MARGIN)


def _chart(
    days: Sequence[tuple[date, int]], today: date, low: int, high: int, margin: float = 0.0
) -> Chart:
    room = HEIGHT * (1 - 2 * margin)
    points = [
        Point(
            day,
            value,
            STEP * place,
            round(HEIGHT * margin + room * (high - value) / ((high - low) or 1), 2),
        )
        for place, (day, value) in enumerate(days)
    ]
    return Chart(points, high, low, today)
