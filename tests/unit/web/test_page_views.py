"""Page views are counted by day, topic and campaign, without personal data or delay."""

import threading
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from sqlalchemy import select

from preference_center.core import page_views
from preference_center.store import Database
from preference_center.store.tables import PageView
from preference_center.web import counters
from preference_center.web.counters import BackgroundCounter
from tests.support import make, processes
from tests.support.site import Site, confirm, link, lose_database, receipt, use_database
from tests.support.web_fixtures import SiteMaker

DAY = make.NOW.date()
WEEKLY = (DAY, "weekly-news", "2026-47")
PageViewCounter = BackgroundCounter[page_views.Key]


def page_view_counter(database: Database) -> PageViewCounter:
    return BackgroundCounter(database, page_views.add, "openings")


def test_a_view_is_counted_by_day_topic_and_campaign(site: Site) -> None:
    site.get(link())
    site.get(link(email="bob@example.org"))
    site.get(link("preferences"))
    site.get(link(topic="product-news", campaign="2026-48"))
    site.now = make.NOW.replace(hour=23, minute=59)
    site.get(link())
    site.now += timedelta(minutes=1)
    site.get(link())
    assert site.page_views() == {
        WEEKLY: 4,
        (DAY, "product-news", "2026-48"): 1,
        (DAY + timedelta(days=1), "weekly-news", "2026-47"): 1,
    }


def test_later_counts_are_added(site: Site) -> None:
    for count in (1, 2, 3):
        site.get(link())
        assert site.page_views() == {WEEKLY: count}
    assert site.page_views() == {WEEKLY: 3}


def test_an_unknown_recipient_counts_like_any_other(site: Site) -> None:
    before = site.rows()
    site.get(link(email="new@example.org", topic="never-set-up"))
    assert site.page_views() == {(DAY, "never-set-up", "2026-47"): 1}
    assert site.rows() == before


def test_other_requests_are_not_counted(site: Site) -> None:
    for method in ("HEAD", "OPTIONS", "POST", "PUT"):
        site.open(method, link("preferences"))
        site.open(method, link())
    site.post(f"{link()}/leave", data={"scope": "all"})
    for path in (link()[:-1], f"/p/{link()[3:]}", "/u/x", receipt(1), confirm(), "/sign-up"):
        site.get(path)
    assert site.page_views() == {}


def test_counts_contain_nothing_about_a_person(site: Site) -> None:
    site.get(link())
    counted = str(site.page_views())
    for secret in (
        "ada",
        str(make.id_of()),
        make.id_of().hex,
        link().split(".")[2],
    ):
        assert secret not in counted


def test_counts_reach_the_database_in_the_background(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "SECONDS_BETWEEN_FLUSHES", 0.05)
    flushed: list[int] = []
    flush = BackgroundCounter.flush

    def watched(counter: PageViewCounter) -> None:
        flush(counter)
        flushed.append(threading.get_ident())

    monkeypatch.setattr(BackgroundCounter, "flush", watched)
    site.get(link())
    processes.wait_for(lambda: flushed, "no flush")
    assert flushed[0] != threading.get_ident()
    site.get(link())
    processes.wait_for(lambda: len(flushed) == 2, "no second flush")
    monkeypatch.undo()
    assert site.page_views() == {WEEKLY: 2}


def test_a_request_does_not_wait_for_its_count(site: Site) -> None:
    before = site.page_views()
    with site.database.transaction() as session:  # SQLite has one writer
        make.topic(session, "being-added")
        assert site.get(link()).status_code == 200
    assert site.page_views() == before | {WEEKLY: 1}


def test_an_unavailable_database_loses_no_count(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    database = site.database
    lose_database(site)
    counter = page_view_counter(site.database)
    count(counter, 3)
    counter.flush()
    counter.flush()
    assert "openings not stored yet: the database cannot be used now" in caplog.text
    counter._database = database
    count(counter, 1)
    counter.flush()
    use_database(site, database)
    assert site.page_views() == {WEEKLY: 4}


def count(counter: PageViewCounter, times: int) -> None:
    for _ in range(times):
        counter.count(WEEKLY)


def test_two_counters_make_one_sum(database: Database, site_with: SiteMaker) -> None:
    counters = [page_view_counter(database) for _ in range(2)]
    for counter in counters:
        count(counter, 5)
        counter.count((DAY, "product-news", "a"))
    flushing = [threading.Thread(target=counter.flush) for counter in counters]
    for thread in flushing:
        thread.start()
    for thread in flushing:
        thread.join()
    assert site_with().page_views() == {WEEKLY: 10, (DAY, "product-news", "a"): 2}


def test_counts_during_a_flush_are_not_lost(database: Database) -> None:
    counter, stop = page_view_counter(database), threading.Event()

    def keep_flushing() -> None:
        while not stop.is_set():
            counter.flush()

    flusher = threading.Thread(target=keep_flushing)
    flusher.start()
    counting = [threading.Thread(target=count, args=(counter, 500)) for _ in range(4)]
    for thread in counting:
        thread.start()
    for thread in counting:
        thread.join()
    stop.set()
    flusher.join()
    counter.flush()
    with database.reading() as session:
        assert session.scalars(select(PageView.count)).one() == 2000


def test_memory_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "MAX_KEYS", 3)
    for n in range(9):
        site.get(link(campaign=f"c{n}"))
    site.get(link(campaign="c0"))
    assert site.page_views() == {
        (DAY, "weekly-news", campaign): count
        for campaign, count in (("c0", 2), ("c1", 1), ("c2", 1))
    }


@pytest.mark.integration
def test_a_stopped_server_stores_its_counts(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "serve.db"
    path.write_bytes(sqlite_template.read_bytes())
    settings = make.environment(DATABASE_URL=f"sqlite:///{path}", PUBLIC_URL="http://localhost")
    with processes.serving_process(settings) as (base_url, server):
        with urlopen(base_url + link()) as answer:
            assert answer.status == 200
        assert server.stop() == 0
    site = Site(f"sqlite:///{path}")
    assert list(site.page_views().values()) == [1]
    site.close()
