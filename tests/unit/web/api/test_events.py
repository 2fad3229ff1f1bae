"""The feed over HTTP: cursors, waiting, expiry, and who may read it."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from preference_center.core import consumers, feed
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.web.api import events
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import Site, link


@pytest.fixture
def site(database_url: str) -> Iterator[Site]:
    """Yield a site without subscribers."""
    site = Site(database_url)
    yield site
    site.close()


def number(site: Site) -> None:
    with site.database.transaction() as session:
        feed.number(session, site.now)


def unsubscribe(site: Site, count: int = 1, start: int = 0) -> None:
    for each in range(start, start + count):
        site.post(link(email=f"{each}@example.org"), data={"List-Unsubscribe": "One-Click"})
    number(site)


def answer(api: Api, path: str = "/events") -> dict[str, Any]:
    response = api.get(path)
    assert response.status_code == 200, response.text
    found: dict[str, Any] | None = response.json
    assert found is not None
    return found


def test_an_event_says_whom_and_what_it_is_about(site: Site) -> None:
    unsubscribe(site)
    assert answer(Api(site, ApiScope.EVENTS))["events"] == [
        {
            "id": f"{make.id_of('0@example.org')}-1",
            "type": "topic.stopped",
            "timestamp": "2026-11-22T14:05:00Z",
            "data": {
                "subscriber_id": str(make.id_of("0@example.org")),
                "topic": "weekly-news",
                "campaign": "2026-47",
                "source": "one-click",
                "seq": 1,
            },
        }
    ]


def test_the_cursor_leads_through_all_events(site: Site) -> None:
    unsubscribe(site, 5)
    api, cursor, seen = Api(site), "", []
    for size in (2, 2, 1, 0):
        found = answer(api, f"/events?after={cursor}&limit=2")
        assert len(found["events"]) == size
        seen += [each["id"] for each in found["events"]]
        cursor = found["cursor"]
    assert len(set(seen)) == 5
    unsubscribe(site, 1, start=5)
    (last,) = answer(api, f"/events?after={cursor}")["events"]
    assert last["data"]["subscriber_id"] == str(make.id_of("5@example.org"))


def test_the_next_page_is_linked(site: Site) -> None:
    unsubscribe(site, 2)
    api = Api(site)
    first = api.get("/events?limit=1")
    assert first.json is not None
    url = f"https://mail.example.org/api/v1/events?after={first.json['cursor']}"
    assert first.headers["Link"] == f'<{url}>; rel="next"'


def test_a_program_can_begin_with_the_next_event(site: Site) -> None:
    unsubscribe(site, 2)
    api = Api(site)
    begun = answer(api, "/events?after=latest")
    assert begun["events"] == []
    unsubscribe(site, 1, start=2)
    assert len(answer(api, f"/events?after={begun['cursor']}")["events"]) == 1


def test_an_expired_cursor_names_the_exports_and_where_to_go_on(site: Site) -> None:
    unsubscribe(site, 2)
    api = Api(site)
    old = answer(api, "/events?limit=1")["cursor"]
    site.now += timedelta(days=31)
    unsubscribe(site, 1, start=2)
    expired = api.get(f"/events?after={old}")
    assert_problem(expired, 410, "cursor-expired")
    assert expired.json is not None
    assert expired.json["exports"] == ["preferences", "suppressions"]
    assert answer(api, f"/events?after={expired.json['cursor']}")["events"] == []
    assert len(answer(api)["events"]) == 1


@pytest.mark.parametrize("cursor", ["0" * 15 + "9", "f" * 16])
def test_a_cursor_beyond_the_feed_has_expired(site: Site, cursor: str) -> None:
    assert_problem(Api(site).get(f"/events?after={cursor}"), 410, "cursor-expired")


@pytest.mark.parametrize(
    "query", ["after=1", "after=-000000000000001", "limit=0", "limit=1001", "wait=16", "wait=-1"]
)
def test_an_invalid_query_is_refused(site: Site, query: str) -> None:
    assert_problem(Api(site).get(f"/events?{query}"), 422, "invalid-request")


def test_a_test_key_cannot_read_the_feed(site: Site) -> None:
    assert_problem(Api(site, kind=ApiKeyKind.TEST).get("/events"), 403, "test-key")


def test_the_scope_is_needed(site: Site) -> None:
    assert_problem(Api(site, ApiScope.TOPICS).get("/events"), 403, "missing-scope")


# Waiting.


def test_a_request_waits_for_the_next_event(site: Site) -> None:
    api = Api(site)
    later = threading.Timer(0.3, unsubscribe, [site])
    later.start()
    began = time.monotonic()
    assert len(answer(api, "/events?wait=10")["events"]) == 1
    assert 0.3 < time.monotonic() - began < 5
    later.join()


def test_a_request_waits_no_longer_than_it_says(site: Site) -> None:
    began = time.monotonic()
    assert answer(Api(site), "/events?wait=1")["events"] == []
    assert 1 <= time.monotonic() - began < 3


def test_a_request_with_events_does_not_wait(site: Site) -> None:
    unsubscribe(site)
    began = time.monotonic()
    assert len(answer(Api(site), "/events?wait=10")["events"]) == 1
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # It has a fixed pool.
def test_a_request_that_waits_holds_no_connection(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []
    pool: Any = site.database.engine.pool
    monkeypatch.setattr(time, "sleep", lambda _seconds: used.append(pool.checkedout()))
    answer(Api(site), "/events?wait=1")
    assert set(used) == {0}


def test_few_requests_wait_at_a_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_waiting", threading.BoundedSemaphore(1))
    api = Api(site)
    first = threading.Thread(target=answer, args=(api, "/events?wait=2"))
    first.start()
    time.sleep(0.5)
    began = time.monotonic()
    second = api.get("/events?wait=10")
    assert time.monotonic() - began < 1
    assert second.headers["Retry-After"] == "5"
    first.join()
    assert "Retry-After" not in api.get("/events?wait=1").headers


def test_a_failure_does_not_use_up_the_right_to_wait(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_waiting", threading.BoundedSemaphore(1))
    api = Api(site)
    assert_problem(api.get(f"/events?wait=1&after={'f' * 16}"), 410, "cursor-expired")
    assert "Retry-After" not in api.get("/events?wait=1").headers


# How far a program has read.


def unfetched(site: Site) -> list[Any]:
    with site.database.reading() as session:
        return [each.oldest_unfetched for each in consumers.list_all(session, site.now)]


def test_what_was_sent_is_fetched(site: Site) -> None:
    unsubscribe(site, 2)
    api = Api(site)
    assert unfetched(site) == []
    cursor = answer(api, "/events?limit=1")["cursor"]
    assert unfetched(site) == [make.NOW]
    answer(api, f"/events?after={cursor}")
    assert unfetched(site) == [None]
    answer(api, f"/events?after={cursor}&limit=1")
    assert unfetched(site) == [None]


def test_a_cursor_acknowledges_what_is_before_it(site: Site) -> None:
    unsubscribe(site, 2)
    api = Api(site)
    for query, expected in (("limit=1", 0), ("after=0000000000000001", 1), ("after=latest", 2)):
        answer(api, f"/events?{query}")
        with site.database.reading() as session:
            assert [each for _, each in consumers.acknowledged(session, site.now)] == [expected]


def test_a_program_that_reads_again_has_not_fetched_the_rest(site: Site) -> None:
    unsubscribe(site, 2)
    api = Api(site)
    answer(api)
    answer(api, "/events?limit=1")
    assert unfetched(site) == [make.NOW]


def test_the_answer_to_a_head_request_has_no_events(site: Site) -> None:
    unsubscribe(site)
    assert Api(site).call("HEAD", "/events").status_code == 200
    assert unfetched(site) == []


def test_waiting_without_an_event_writes_nothing(site: Site) -> None:
    api = Api(site)
    answer(api)
    before = site.rows()
    site.now += timedelta(minutes=1)
    answer(api)
    assert site.rows() == before
