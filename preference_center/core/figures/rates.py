"""Rates of rare events, with what chance alone makes of them, and the order of counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

Name = TypeVar("Name")

MIN_EMAILED = 300  # With fewer, one subscriber more or less changes a rate too much.
_Z = 1.959964  # standard deviations: 95 % of a normal distribution
_THOUSAND = 1000


@dataclass(frozen=True)
class Rate:
    """How many of a thousand, and the 95 % interval of it.

    The interval is Wilson's score interval (E. B. Wilson, 1927), which also holds for few events.
    """

    per_thousand: float
    low: float
    high: float


def rate(count: int, emailed: int) -> Rate | None:
    """Return the rate of `count` out of `emailed`, or None for fewer than MIN_EMAILED."""
    return interval(count, emailed) if emailed >= MIN_EMAILED else None


def interval(count: int, emailed: int) -> Rate:
    """Return the rate of `count` out of `emailed`, also for few, with its wide interval.

    `emailed` is at least 1.
    """
    share = min(count / emailed, 1.0)  # A subscriber may leave again after coming back.
    weight = _Z**2 / emailed
    middle = (share + weight / 2) / (1 + weight)
    reach = _Z * sqrt(share * (1 - share) / emailed + weight / (4 * emailed)) / (1 + weight)
    low, high = max(middle - reach, 0.0), min(middle + reach, 1.0)
    return Rate(_THOUSAND * share, _THOUSAND * low, _THOUSAND * high)


def ranked(counts: Mapping[Name, int], names: Iterable[Name]) -> list[tuple[Name, int]]:
    """Return the counts that are not 0, the highest first, equal ones in the order of `names`."""
    found = [(name, counts[name]) for name in names if counts[name]]
    return sorted(found, key=lambda each: -each[1])
