"""Decide when bounces end email to an address: pure functions on plain values.

A failed mailing is a UTC day on which an email to the subscriber finally failed. `docs/bounces.md`
describes the rule in words.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import Cadence

MIN_FAILED_MAILINGS = 5
MIN_SPAN = timedelta(days=14)  # between the first and the last of them
WINDOW = timedelta(days=180)
# How long a failure counts if no later success would be seen. At 3 % transient failures, most
# healthy daily readers have five in 180 days if no success resets them.
CADENCE_WINDOWS = {
    Cadence.IRREGULAR: timedelta(days=30),
    Cadence.WEEKLY: timedelta(days=60),
    Cadence.MONTHLY: WINDOW,
}
# An email claimed on a day arrived if nothing failed for this long. Mail servers give up after five
# days, and a weekly sender claims again after seven.
CLAIM_SETTLES_AFTER = timedelta(days=6)
# A dead address fails every time. A healthy reader of a daily topic may go for weeks without six
# days in a row that are free of transient failures.
MIN_FAILED_SHARE = 4 / 5  # of the days with a claim
# Gmail refused live accounts as unknown for two days in December 2020.
MIN_CONFIRMATION_GAP = timedelta(days=7)
ABOUT_THE_MAILBOX = frozenset({BounceSeverity.PERMANENT, BounceSeverity.PROBABLE})


@dataclass(frozen=True)
class Failure:
    """A failed mailing. `window` is how long it counts if no later success would be seen."""

    day: date
    severity: BounceSeverity = BounceSeverity.SOFT
    window: timedelta = CADENCE_WINDOWS[Cadence.IRREGULAR]


@dataclass(frozen=True)
class Evidence:
    """What is known of other emails: the days of claims, and the day of the latest delivery."""

    claims: Collection[date] = ()
    delivered: date | None = None


def ends(
    earlier: Iterable[Failure], new: Failure, evidence: Evidence, today: date, *, held: bool
) -> bool:
    """Return True if a failure, after earlier ones, ends email to the address.

    `held` means that the domain refuses too many addresses at once to be plausible.
    """
    known = list(earlier)
    counted = after_reset([*known, new], evidence, today)
    plausible = new.severity in ABOUT_THE_MAILBOX and not held
    if plausible and new.severity is BounceSeverity.PERMANENT:
        quarantined = after_reset(known, evidence, today)
        if all(each.severity is not BounceSeverity.PERMANENT for each in quarantined):
            return True
    return (plausible and _is_confirmed(counted)) or _is_series(counted, evidence)


def after_reset(failures: Iterable[Failure], evidence: Evidence, today: date) -> list[Failure]:
    """Return the failures that are newer than the last sign that the address works."""
    found = list(failures)
    failed_days = {failure.day for failure in found}
    newest_first = sorted(evidence.claims, reverse=True)
    arrived = next((day for day in newest_first if _arrived(day, failed_days, today)), date.min)
    works = max(arrived, evidence.delivered or date.min)
    return [failure for failure in found if failure.day > works]


def _arrived(claim: date, failed_days: Collection[date], today: date) -> bool:
    settled = today - claim > CLAIM_SETTLES_AFTER
    return settled and not any(claim <= day <= claim + CLAIM_SETTLES_AFTER for day in failed_days)


def _is_confirmed(failures: Iterable[Failure]) -> bool:
    """Return True if the mailbox was reported missing twice, far enough apart.

    A soft failure confirms nothing: every healthy reader has one now and then.
    """
    days = [failure.day for failure in failures if failure.severity in ABOUT_THE_MAILBOX]
    return bool(days) and MIN_CONFIRMATION_GAP <= max(days) - min(days) < WINDOW


def _is_series(failures: Collection[Failure], evidence: Evidence) -> bool:
    latest = max((failure.day for failure in failures), default=date.min)
    days = {each.day for each in failures if latest - each.day < _window(each, evidence)}
    if len(days) < MIN_FAILED_MAILINGS or max(days) - min(days) < MIN_SPAN:
        return False
    claimed = {day for day in evidence.claims if min(days) <= day <= max(days)}
    return len(days) > MIN_FAILED_SHARE * len(claimed)


def _window(failure: Failure, evidence: Evidence) -> timedelta:
    """Return how long a failure counts: longer if a later success would be seen."""
    seen = evidence.delivered is not None or any(
        claim <= failure.day <= claim + CLAIM_SETTLES_AFTER for claim in evidence.claims
    )
    return WINDOW if seen else failure.window
