"""A clock that jumps: an unsubscribe counts all the same, and the ledger stays whole."""

from datetime import timedelta

import pytest

from tests.support import make
from tests.support.command import run_ok
from tests.support.site import Site, link

JUMPS = [timedelta(days=-1), timedelta(hours=-1), timedelta(seconds=-1), timedelta(days=400)]


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_an_unsubscribe_counts_after_the_clock_has_jumped(
    site: Site, database_url: str, jump: timedelta
) -> None:
    assert site.post(link()).status_code == 200
    with site.database.transaction() as session:
        make.undo(session, 3, 3, at=site.now)
    site.now += jump
    assert site.post(link()).status_code == 200
    assert site.unsubscribed() == ["weekly-news", "weekly-news"]
    site.now -= jump
    assert site.post(link(topic="product-news")).status_code == 200
    assert site.unsubscribed()[-1] == "product-news"
    assert run_ok(database_url, "verify-ledger").endswith(" 0 broken.\n")


def test_a_clock_that_jumps_back_sends_no_email_twice(site: Site) -> None:
    site.post(link())
    site.now += timedelta(minutes=10)
    assert len(site.emails()) == 1
    site.now -= timedelta(hours=1)
    assert site.emails() == []
    site.now += timedelta(days=2)
    assert site.emails() == []
