"""Whether more emails cost more subscribers, from the daily counts."""

from datetime import timedelta

import pytest

from preference_center.core.api_vocab import EmailsReceived
from preference_center.core.figures import received
from preference_center.core.figures.period import Period, Span
from preference_center.core.figures.received import Finding
from preference_center.store import Database, sets
from preference_center.store.tables import ReceivedCount
from tests.support import make

WEEK = Period(Span.WEEK, make.NOW)
ONE, FEW, MOST = EmailsReceived.ONE, EmailsReceived.FEW, EmailsReceived.MOST


@pytest.mark.parametrize(
    ("groups", "finding"),
    [
        ({ONE: (10_000, 10), FEW: (900, 9), MOST: (10_000, 60)}, Finding.MORE),
        ({ONE: (10_000, 60), MOST: (10_000, 10)}, Finding.LESS),
        ({ONE: (10_000, 10), MOST: (10_000, 12)}, Finding.ALIKE),
        ({ONE: (299, 0), FEW: (300, 0), MOST: (299, 99)}, Finding.UNKNOWN),
        ({}, Finding.UNKNOWN),
    ],
)
def test_the_fewest_and_the_most_emails_are_compared(
    database: Database, groups: dict[EmailsReceived, tuple[int, int]], finding: Finding
) -> None:
    rows = [
        (WEEK.first + slot * timedelta(days=1), group, bool(unsubscribed), slot, number)
        for group, numbers in groups.items()
        for unsubscribed, total in enumerate(numbers)
        for slot, number in enumerate((total - total // 2, total // 2))
    ]
    before = [(WEEK.first - timedelta(days=1), ONE, False, 0, 10**6)]
    with database.transaction() as session:
        sets.insert(session, ReceivedCount, [*rows, *before])
    with database.reading() as session:
        found = received.load(session, WEEK)
    assert {each.received: (each.emailed, each.left) for each in found.groups} == groups
    assert found.finding is finding


def test_who_left_without_an_email_is_in_no_group(database: Database) -> None:
    with database.transaction() as session:
        make.unsubscribe(session)
    with database.reading() as session:
        found = received.load(session, WEEK)
    assert (found.groups, found.unsent) == ([], 1)
