"""What is wrong: mailings that cost clearly more than others of their topic, and bad checks."""

from collections import Counter
from datetime import timedelta

import pytest

from preference_center.core.figures import alarms
from preference_center.core.figures.alarms import Alarms
from preference_center.core.figures.checks import Check, CheckName
from preference_center.core.figures.mailings import UNSUBSCRIBED, Mailing
from preference_center.core.figures.spikes import small, worst
from preference_center.core.report_counts import EMAILED
from preference_center.store import Database
from tests.support import make

DAY = timedelta(days=1)
BAD = Check(CheckName.OVERDUE, is_bad=True)


def mailing(
    name: str, left: int, emailed: int, days: int = 30, topic: str = "weekly-news"
) -> Mailing:
    counts = Counter({EMAILED: emailed, UNSUBSCRIBED: left})
    return Mailing(topic, name, (make.NOW - days * DAY).date(), counts)


# Of 10,000 others, 20 left: 2.0 of 1,000, at most 3.1.
OTHERS = [mailing("a", 12, 5000), mailing("b", 8, 5000), mailing("c", 900, 9000, 1, "offers")]


@pytest.mark.parametrize(
    ("new", "is_spike"),
    [
        (mailing("new", 12, 1000, 7), True),
        (mailing("new", 12, 1000, 8), False),  # too old
        (mailing("new", 8, 1000, 7), False),  # may be chance
        (mailing("new", 350, 100_000, 1), False),  # not chance, but not clearly more
        (mailing("new", 100, 299, 1), False),  # too few emails
        (mailing("new", 100, 1000, 1, "other"), False),  # alone in its topic
        (mailing("new", 100, 1000, 1, ""), False),
        (mailing("receipt", 100, 1000, 1), False),  # a link of ours
    ],
)
def test_a_spike_is_clearly_above_the_other_mailings_of_its_topic(
    new: Mailing, is_spike: bool
) -> None:
    found = alarms.find_spikes([*OTHERS, new], make.NOW)
    assert [each.mailing.campaign for each in found] == [new.campaign] * is_spike


@pytest.mark.parametrize(
    ("new", "is_worst"),
    [
        ([mailing("new", 5, 80)], True),
        ([mailing("new", 4, 4)], False),  # too few to be news
        ([mailing("new", 5, 1000)], False),  # may be chance
        ([mailing("new", 12, 80), mailing("old", 11, 80)], True),
        ([mailing("new", 12, 80), mailing("old", 13, 80)], False),
    ],
)
def test_the_worst_lost_most_of_those_above_the_others_however_small(
    new: list[Mailing], is_worst: bool
) -> None:
    found = worst([*OTHERS, *new])
    assert (found is not None and found.campaign == "new") is is_worst


def test_small_mailings_come_by_how_many_they_lost() -> None:
    found = [mailing("none", 0, 9), mailing("sent before", 9, 0), mailing("rated", 9, 300)]
    found += [mailing("least", 2, 10), mailing("few", 2, 9), mailing("most", 12, 299)]
    assert [each.campaign for each in small(found, 2)] == ["most", "few"]


def test_the_time_is_that_of_when_it_turned_bad(database: Database) -> None:
    spike = alarms.find_spikes([*OTHERS, mailing("new", 12, 1000, 1)], make.NOW)
    steps = [
        ([], [], None),
        ([BAD], [], 1),
        ([BAD], spike, 2),
        ([BAD], spike, 2),
        ([BAD], [], 1),
        ([], [], None),
        ([BAD], [], 6),
    ]
    for day, (checks, spikes, expected) in enumerate(steps):
        with database.transaction() as session:
            newest = alarms.note(session, Alarms(checks, spikes, {}), make.NOW + day * DAY)
        assert newest == (make.NOW + expected * DAY if expected is not None else None)
