"""What a benchmark yields: one row of the table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """A measured rate, and the limit or peer that was measured beside it in the same run.

    Attributes:
        work: what was measured.
        rate: the product's rate, in `unit`.
        beside: what `limit` is the rate of; "–" if `limit` is a fixed figure.
        limit: the rate of the limit or peer, in `unit`.
        target: the ratio to reach; 0 if none is set.
        at_least: whether the ratio must be at least `target`; if not, it must be at most that.
        unit: the unit of both figures: "/s", "s", "ms" or "".
    """

    work: str
    rate: float
    beside: str
    limit: float
    target: float
    at_least: bool = True
    unit: str = "/s"

    @property
    def ratio(self) -> float:
        return self.rate / self.limit

    @property
    def reached(self) -> bool:
        """Return True if the ratio is what the target asks for."""
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target
