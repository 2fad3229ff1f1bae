"""Page views: counted by the day; concurrent counts add up."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pytest

from preference_center.core import page_views
from preference_center.store import Database
from preference_center.store.tables import PageView, row_values
from tests.support import make

DAY = make.NOW.date()


def _counts(database: Database) -> dict[page_views.Key, int]:
    with database.reading() as session:
        return {(row.day, row.topic, row.campaign): row.count for row in session.query(PageView)}


def test_counts_are_separate_by_day_topic_and_campaign(database: Database) -> None:
    counts: dict[page_views.Key, int] = {
        (DAY, "weekly-news", "a"): 3,
        (DAY, "weekly-news", "b"): 1,
        (DAY, "offers", "a"): 2,
        (DAY + timedelta(days=1), "weekly-news", "a"): 4,
    }
    with database.transaction() as session:
        page_views.add(session, counts)
    assert _counts(database) == counts


def test_later_counts_are_added(database: Database) -> None:
    key = (DAY, "weekly-news", "a")
    for count in (3, 4):
        with database.transaction() as session:
            page_views.add(session, {key: count})
    assert _counts(database) == {key: 7}


def test_an_empty_count_adds_nothing(database: Database) -> None:
    with database.transaction() as session:
        page_views.add(session, {})
    assert _counts(database) == {}


def test_concurrent_counts_add_up(database: Database) -> None:
    keys = [(DAY, f"topic-{number}", "a") for number in range(30)]

    def write(ordered: list[page_views.Key]) -> None:
        for _ in range(20):
            with database.transaction() as session:
                page_views.add(session, dict.fromkeys(ordered, 1))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, [keys, keys[::-1]] * 2))
    assert _counts(database) == dict.fromkeys(keys, 80)


def test_a_page_view_holds_no_personal_data(database: Database) -> None:
    assert set(row_values(PageView())) == {"day", "topic", "campaign", "count"}


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-22T00:00:00+00:00", 22),
        ("2026-11-22T23:59:59.999999+00:00", 22),
        ("2026-11-23T01:30:00+05:30", 22),
    ],
)
def test_page_views_are_counted_by_utc_day(at: str, day: int) -> None:
    found = page_views.key(datetime.fromisoformat(at), "offers", "47")
    assert found == (date(2026, 11, day), "offers", "47")
