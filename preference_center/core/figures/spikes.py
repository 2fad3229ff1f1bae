"""Mailings that stand out: by a rate above their topic's, or small ones by how many they lost."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from preference_center.core.figures.mailings import Mailing
from preference_center.core.figures.rates import MIN_EMAILED, Rate, interval, rate
from preference_center.core.report_counts import EMAILED

MIN_RATIO = 1.5  # Mailings of a topic differ by more than chance.
MIN_LEFT = 5  # Fewer are no news, whatever their share of a small mailing.


def with_emails(found: Iterable[Mailing]) -> list[Mailing]:
    """Return the mailings of which it is known how many were emailed."""
    return [each for each in found if each.is_mailing and each.counts[EMAILED]]


def usual_rates(emailed: Sequence[Mailing]) -> Mapping[tuple[str, str], Rate | None]:
    """Return for the key of each mailing the rate of the topic's others, or None for too few."""
    left, sent = Counter[str](), Counter[str]()
    for each in emailed:
        left[each.topic] += each.left
        sent[each.topic] += each.counts[EMAILED]
    return {
        each.key: rate(left[each.topic] - each.left, sent[each.topic] - each.counts[EMAILED])
        for each in emailed
    }


def is_above(own: Rate, usual: Rate | None) -> bool:
    """Return True if the low end of `own` is above MIN_RATIO times the high end of `usual`."""
    return usual is not None and own.low > MIN_RATIO * usual.high


def worst(found: Iterable[Mailing]) -> Mailing | None:
    """Return the mailing that lost the most of those clearly above the others of their topics.

    Return None if there are none. It may have too few emails for a rate that is worth showing.
    """
    emailed = with_emails(found)
    usual = usual_rates(emailed)
    above = [
        each
        for each in emailed
        if each.left >= MIN_LEFT
        and is_above(interval(each.left, each.counts[EMAILED]), usual[each.key])
    ]
    return max(above, key=lambda each: (each.left, each.key), default=None)


def small(found: Iterable[Mailing], limit: int) -> list[Mailing]:
    """Return the mailings with too few emails for a rate, those that lost the most first."""
    few = [each for each in with_emails(found) if each.counts[EMAILED] < MIN_EMAILED]
    lost = [each for each in few if each.left]
    return sorted(lost, key=lambda each: (-each.left, each.counts[EMAILED], each.key))[:limit]
