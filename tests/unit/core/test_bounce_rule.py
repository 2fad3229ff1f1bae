"""Every clause of the bounce rule at its boundary, on plain values (M13)."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.core.bounce_rule import CADENCE_WINDOWS, Evidence, Failure, ends
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import Cadence

DAY = timedelta(days=1)
START = date(2026, 1, 1)
PERMANENT, PROBABLE, SOFT = (
    BounceSeverity.PERMANENT,
    BounceSeverity.PROBABLE,
    BounceSeverity.SOFT,
)


def day(number: int) -> date:
    return START + number * DAY


def soft(*days: int, cadence: Cadence = Cadence.IRREGULAR) -> list[Failure]:
    return [Failure(day(each), SOFT, CADENCE_WINDOWS[cadence]) for each in days]


def claimed(*days: int, delivered: int | None = None) -> Evidence:
    return Evidence([day(each) for each in days], None if delivered is None else day(delivered))


def series(
    days: Iterable[int], evidence: Evidence | None = None, cadence: Cadence = Cadence.IRREGULAR
) -> bool:
    """Add soft failures one by one; return True once one of them suppresses the address."""
    evidence = evidence or Evidence()
    found = soft(*days, cadence=cadence)
    return any(
        ends(found[:number], new, evidence, new.day, held=False) for number, new in enumerate(found)
    )


@pytest.mark.parametrize(
    ("days", "suppressed"),
    [
        ([0, 3, 6, 10, 14], True),
        ([0, 3, 6, 10, 13], False),
        ([0, 1, 2, 3, 14], True),
        ([0, 7, 10, 14], False),
        (range(14), False),
        (range(15), True),
        ([0, 0, 0, 14, 14], False),
        ([0, 7, 14, 21, 29], True),
        ([0, 7, 14, 21, 30], False),
    ],
)
def test_five_failed_mailings_over_two_weeks_suppress_the_address(
    days: list[int], suppressed: bool
) -> None:
    assert series(days) is suppressed


@pytest.mark.parametrize(
    ("cadence", "days", "suppressed"),
    [
        (Cadence.WEEKLY, [0, 14, 28, 42, 56], True),
        (Cadence.WEEKLY, [0, 14, 28, 42, 60], False),
        (Cadence.MONTHLY, [0, 30, 61, 91, 122], True),
        (Cadence.MONTHLY, [0, 45, 90, 135, 179], True),
        (Cadence.MONTHLY, [0, 45, 90, 135, 180], False),
        (Cadence.IRREGULAR, [0, 30, 61, 91, 122], False),
    ],
)
def test_without_evidence_the_cadence_sets_the_window(
    cadence: Cadence, days: list[int], suppressed: bool
) -> None:
    assert series(days, cadence=cadence) is suppressed


MONTHS = [0, 30, 61, 91, 122]


@pytest.mark.parametrize(
    ("evidence", "suppressed"),
    [
        (claimed(*MONTHS), True),
        (claimed(*MONTHS, delivered=-30), True),
        (claimed(delivered=-30), True),
        (claimed(*MONTHS, delivered=0), False),
        (claimed(*MONTHS, 45), False),
        # Reports may arrive up to six days after the email.
        (claimed(*(each - 6 for each in MONTHS)), True),
        (claimed(*(each - 7 for each in MONTHS)), False),
        # An email claimed six days ago may still fail.
        (claimed(*MONTHS, 116), True),
        (claimed(*MONTHS, 115), False),
        # An old claim says nothing about emails that were not claimed.
        (claimed(-100), False),
    ],
)
def test_with_evidence_failures_count_for_half_a_year_until_a_delivery(
    evidence: Evidence, suppressed: bool
) -> None:
    assert series(MONTHS, evidence) is suppressed


def test_a_reset_restarts_the_count() -> None:
    days = [0, 7, 14, 21, 35, 42, 49, 56, 63]
    assert not series(days[:-1], claimed(*days, 28))
    assert series(days, claimed(*days, 28))


def test_most_claimed_emails_must_have_failed() -> None:
    every_third = range(0, 60, 3)
    assert not series(every_third, claimed(*range(60)))
    assert series(every_third, claimed(*every_third))


@pytest.mark.parametrize(
    ("first", "second"), [(PERMANENT, PERMANENT), (PERMANENT, PROBABLE), (PROBABLE, PROBABLE)]
)
@pytest.mark.parametrize(("gap", "suppressed"), [(1, False), (6, False), (7, True), (179, True)])
def test_a_second_report_of_a_missing_mailbox_confirms_the_first(
    first: BounceSeverity, second: BounceSeverity, gap: int, suppressed: bool
) -> None:
    new = Failure(day(gap), second)
    assert ends([Failure(day(0), first)], new, Evidence(), new.day, held=False) is suppressed


def test_a_report_from_half_a_year_ago_confirms_nothing() -> None:
    new = Failure(day(180), PROBABLE)
    assert not ends([Failure(day(0), PROBABLE)], new, Evidence(), new.day, held=False)


def test_a_permanent_bounce_suppresses_the_address_immediately() -> None:
    new = Failure(day(1), PERMANENT)
    assert ends([], new, Evidence(), new.day, held=False)
    assert ends([Failure(day(0), PROBABLE)], new, Evidence(), new.day, held=False)


@pytest.mark.parametrize("severity", [PERMANENT, PROBABLE])
def test_nothing_is_confirmed_while_the_domain_is_held(severity: BounceSeverity) -> None:
    new = Failure(day(30), severity)
    assert not ends([Failure(day(0), PERMANENT)], new, Evidence(), new.day, held=True)


@pytest.mark.parametrize("severity", [PERMANENT, PROBABLE])
def test_a_soft_failure_confirms_nothing(severity: BounceSeverity) -> None:
    (new,) = soft(30)
    assert not ends([Failure(day(0), severity)], new, Evidence(), new.day, held=False)


@pytest.mark.parametrize("evidence", [claimed(14), claimed(delivered=14)])
def test_a_reset_clears_quarantined_failures(evidence: Evidence) -> None:
    first, new = Failure(day(0), PROBABLE), Failure(day(28), PROBABLE)
    assert not ends([first], new, evidence, new.day, held=False)


def test_quarantined_failures_count_towards_the_series() -> None:
    found = [Failure(day(each), PERMANENT) for each in (0, 4, 8, 12)]
    assert ends(found, Failure(day(16), PERMANENT), Evidence(), day(16), held=True)


def test_the_order_of_arrival_does_not_matter() -> None:
    for days in permutations([0, 7, 14, 21, 28]):
        assert series(days)


DAYS = st.integers(0, 400)


@given(
    st.lists(DAYS, max_size=12),
    st.lists(DAYS, max_size=12),
    st.none() | DAYS,
    st.lists(DAYS, max_size=5),
)
def test_fewer_failures_or_more_deliveries_never_suppress_more(
    failed: list[int], claims: list[int], delivered: int | None, more: list[int]
) -> None:
    evidence = claimed(*claims, delivered=delivered)
    every, new = soft(*failed, cadence=Cadence.MONTHLY), soft(400, cadence=Cadence.MONTHLY)[0]
    few = every[: len(every) // 2]
    more_claims = Evidence([*evidence.claims, *map(day, more)], evidence.delivered)
    if ends(few, new, evidence, new.day, held=False) or ends(
        every, new, more_claims, new.day, held=False
    ):
        assert ends(every, new, evidence, new.day, held=False)
