"""Rates: the interval is Wilson's, and too few emails have none."""

from math import sqrt

import pytest

from preference_center.core.figures.rates import MIN_EMAILED, rate


@pytest.mark.parametrize(("count", "emailed"), [(0, 1000), (10, 1000), (299, 300), (300, 300)])
def test_the_ends_of_the_interval_are_those_of_a_score_test(count: int, emailed: int) -> None:
    """At each end, the share that was found is 1.96 standard errors away, or 0 or 1 was reached."""
    found, share = rate(count, emailed), count / emailed
    assert found is not None
    for end in (found.low / 1000, found.high / 1000):
        error = sqrt(end * (1 - end) / emailed)
        assert abs(share - end) == pytest.approx(1.96 * error, rel=1e-4, abs=1e-9)
    assert found.per_thousand == 1000 * share
    assert found.low - 1e-9 <= found.per_thousand <= found.high + 1e-9


def test_too_few_emails_have_no_rate() -> None:
    assert rate(1, MIN_EMAILED - 1) is None
    assert rate(1, MIN_EMAILED) is not None


def test_more_who_left_than_emailed_are_all_of_them() -> None:
    found = rate(700, 600)
    assert found is not None
    assert (found.per_thousand, found.high) == pytest.approx((1000, 1000))
