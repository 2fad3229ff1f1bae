"""Days and times on pages are those of TIME_ZONE, and what they promise ends with those days."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.support.site import Site, link
from tests.support.web_fixtures import SiteMaker

LATE = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # 23 November, 00:30 in Berlin.


@pytest.fixture
def berlin(site_with: SiteMaker) -> Site:
    site = site_with(time_zone=ZoneInfo("Europe/Berlin"))
    site.subscribe("ada@example.org", "weekly-news")
    site.now = LATE
    return site


def test_a_pause_ends_at_the_start_of_the_day_that_the_pages_name(berlin: Site) -> None:
    page = berlin.page(link())
    assert "7 December 2026" in page.text
    berlin.post(link() + "/less", data={"choice": "2-weeks"})
    ends = datetime(2026, 12, 6, 23, tzinfo=UTC)
    assert ends in berlin.subscriptions()["weekly-news"]
    for path in (link(), link("preferences")):
        assert "7 December 2026" in berlin.page(path).text
    berlin.now = ends - timedelta(seconds=1)
    assert "aused until 7 December 2026" in berlin.page(link("preferences")).text
    berlin.now = ends
    assert "aused until" not in berlin.page(link("preferences")).text


def test_undo_is_offered_until_the_end_of_the_day_that_the_receipt_names(berlin: Site) -> None:
    done = berlin.post(link() + "/leave", data={"scope": "topic"}).headers["Location"]
    receipt = berlin.page(done)
    for shown in ("23 November 2026", "00:30 CET", "until 23 December 2026"):
        assert shown in receipt.text
    midnight = datetime(2026, 12, 23, 23, tzinfo=UTC)
    berlin.now = midnight
    assert berlin.post(f"{done}/undo").status_code == 410
    berlin.now = midnight - timedelta(seconds=1)
    assert berlin.post(f"{done}/undo").status_code == 303
