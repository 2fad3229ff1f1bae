"""The last Monday in a zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from preference_center.util.clock import last_monday


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        ("2026-11-23T07:00", "UTC", "2026-11-23T07:00"),
        ("2026-11-23T06:59", "UTC", "2026-11-16T07:00"),
        ("2026-11-22T23:59", "UTC", "2026-11-16T07:00"),
        ("2026-11-22T22:00", "Asia/Tokyo", "2026-11-22T22:00"),
        ("2026-11-22T21:59", "Asia/Tokyo", "2026-11-15T22:00"),
        ("2026-10-26T06:00", "Europe/Berlin", "2026-10-26T06:00"),  # The day after summer time.
        ("2026-10-26T05:59", "Europe/Berlin", "2026-10-19T05:00"),
    ],
)
def test_the_last_monday_is_that_of_the_zone(now: str, zone: str, expected: str) -> None:
    found = last_monday(datetime.fromisoformat(now).replace(tzinfo=UTC), ZoneInfo(zone), 7)
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)
