"""`/api/v1/webhooks`: add, list, test, replay and delete webhooks."""

import socket
from typing import Any
from uuid import uuid4

import pytest

from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from tests.support import make, receiver
from tests.support.api import Api, assert_problem
from tests.support.deliveries import Hooks
from tests.support.site import Site
from tests.support.web_fixtures import SiteMaker

URL = "https://8.8.8.8/hook"


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site, ApiScope.WEBHOOKS)


def add(api: Api, url: str = URL, **body: Any) -> Any:
    answer = api.post("/webhooks", json={"url": url, **body})
    assert answer.status_code == 201, answer.text
    return answer.json


def test_a_webhook_is_added_and_its_secret_is_shown_once(site: Site, api: Api) -> None:
    added = add(api, events=["topic.stopped"])
    webhook, secret = added["webhook"], added["secret"]
    assert secret.startswith("whsec_")
    assert webhook == {
        "id": webhook["id"],
        "url": URL,
        "events": ["topic.stopped"],
        "created_at": "2026-11-22T14:05:00Z",
        "state": "active",
        "failing_since": None,
        "last_attempt_at": None,
        "last_result": None,
        "waiting": 0,
        "next_attempt_at": None,
        "failed": 0,
        "cursor": "0" * 16,
    }
    assert api.get("/webhooks").json == {"webhooks": [webhook]}
    assert api.get(f"/webhooks/{webhook['id']}").json == webhook
    assert secret[6:] not in str(site.rows())


def test_an_idempotency_key_stores_no_secret(site: Site, api: Api) -> None:
    answer = api.post("/webhooks", json={"url": URL}, headers={"Idempotency-Key": "a"})
    assert answer.status_code == 201
    assert site.rows()["idempotent_requests"] == []


def test_a_url_has_one_webhook(api: Api) -> None:
    add(api)
    assert_problem(api.post("/webhooks", json={"url": URL}), 409, "conflict")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://2130706433/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://no-such-host.invalid/",
        "https://8.8.8.8:99999/",
        "http://8.8.8.8/",
    ],
)
def test_a_url_that_is_not_public_is_refused_in_the_same_words(api: Api, url: str) -> None:
    answer = api.post("/webhooks", json={"url": url})
    assert_problem(answer, 422, "invalid-request")
    assert answer.json is not None
    (fault,) = answer.json["errors"]
    assert fault["pointer"] == "/url"
    assert "WEBHOOK_PRIVATE_NETWORKS" in fault["detail"]
    assert api.get("/webhooks").json == {"webhooks": []}


@pytest.mark.parametrize("url", ["ftp://8.8.8.8/", "https://a:b@8.8.8.8/", "8.8.8.8", "https://"])
def test_a_url_of_another_form_is_refused(api: Api, url: str) -> None:
    assert_problem(api.post("/webhooks", json={"url": url}), 422, "invalid-request")


def test_a_host_with_one_inner_address_is_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def look_up(_host: str, *rest: Any, **options: Any) -> list[Any]:
        return [real(each, *rest, **options)[0] for each in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    answer = api.post("/webhooks", json={"url": "https://hooks.example.org/"})
    assert_problem(answer, 422, "invalid-request")


def test_a_named_private_network_is_allowed(site_with: SiteMaker) -> None:
    api = Api(site_with(webhook_private_networks=receiver.LOOPBACK))
    add(api, "https://127.0.0.1:8443/hook")
    add(api, "http://127.0.0.1:8080/hook")
    assert_problem(api.post("/webhooks", json={"url": "https://10.0.0.1/"}), 422, "invalid-request")


def test_a_webhook_is_deleted(api: Api) -> None:
    path = f"/webhooks/{add(api)['webhook']['id']}"
    assert api.call("DELETE", path).status_code == 204
    assert_problem(api.get(path), 404, "not-found")
    assert api.get("/webhooks").json == {"webhooks": []}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/test", None),
        ("POST", "/rotate", None),
        ("POST", "/replay", {}),
    ],
)
def test_an_unknown_webhook_is_a_problem(api: Api, method: str, path: str, body: Any) -> None:
    answer = api.call(method, f"/webhooks/{uuid4()}{path}", json=body)
    assert_problem(answer, 404, "not-found")


def test_a_test_event_is_queued(api: Api) -> None:
    path = f"/webhooks/{add(api)['webhook']['id']}"
    answer = api.post(f"{path}/test")
    assert answer.status_code == 202
    assert answer.json is not None
    assert (answer.json["waiting"], answer.json["cursor"]) == (1, "0" * 16)
    assert answer.json["next_attempt_at"] == "2026-11-22T14:05:00Z"


def test_a_new_secret_is_shown_once(site: Site, api: Api) -> None:
    added = add(api)
    answer = api.post(f"/webhooks/{added['webhook']['id']}/rotate")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["secret"] not in (added["secret"], None)
    assert answer.json["webhook"] == added["webhook"]
    assert answer.json["secret"][6:] not in str(site.rows())


def test_events_are_replayed_from_a_cursor_or_a_time(site_with: SiteMaker) -> None:
    site = site_with(webhook_private_networks=receiver.LOOPBACK)
    api, hooks = Api(site), Hooks(site.database)
    with receiver.running() as own:
        path = f"/webhooks/{add(api, own.url)['webhook']['id']}"
        hooks.leave("bob@example.org", "first", "second")
        hooks.deliver()
        count = len(own.posts)
        assert count > 2
        assert api.get(path).json["cursor"] == f"{count:016x}"
        since = {"since": "2026-11-22T00:00:00+01:00"}
        ones = (({"after": f"{count - 1:016x}"}, 1), (since, 2), ({"after": f"{count:016x}"}, 0))
        for body, again in (*ones, ({}, 0)):
            before = len(own.posts)
            assert api.post(f"{path}/replay", json=body).status_code == 200
            hooks.deliver()
            assert len(own.posts) == before + again


@pytest.mark.parametrize(
    "body",
    [
        {"after": "1"},
        {"after": "0" * 16, "since": "2026-11-22T00:00:00Z"},
        {"since": "2026-11-22T00:00:00"},
        {"since": 5},
        {"else": 1},
    ],
)
def test_a_replay_from_nowhere_is_refused(api: Api, body: dict[str, Any]) -> None:
    path = f"/webhooks/{add(api)['webhook']['id']}/replay"
    assert_problem(api.post(path, json=body), 422, "invalid-request")


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_replay_from_a_time_far_away_is_one_from_the_first_or_last_event(
    api: Api, since: str
) -> None:
    path = f"/webhooks/{add(api)['webhook']['id']}/replay"
    assert api.post(path, json={"since": since}).status_code == 200


@pytest.mark.parametrize("cursor", ["f" * 16, "7" + "f" * 15, "0" * 15 + "9"])
def test_a_replay_from_a_cursor_that_was_never_reached_is_refused(api: Api, cursor: str) -> None:
    path = f"/webhooks/{add(api)['webhook']['id']}/replay"
    assert_problem(api.post(path, json={"after": cursor}), 410, "cursor-expired")


def test_a_key_needs_the_scope(site: Site) -> None:
    other = Api(site, ApiScope.EVENTS)
    for method, path in (("GET", "/webhooks"), ("POST", "/webhooks")):
        assert_problem(other.call(method, path, json={"url": URL}), 403, "missing-scope")


def test_a_test_key_changes_no_webhook(site: Site, api: Api) -> None:
    path = f"/webhooks/{add(api)['webhook']['id']}"
    tester = Api(site, ApiScope.WEBHOOKS, kind=ApiKeyKind.TEST)
    assert tester.get(path).status_code == 200
    before = site.rows()["webhooks"]
    for method, below, body in (
        ("POST", "/webhooks", {"url": URL}),
        ("DELETE", path, None),
        ("POST", f"{path}/test", None),
        ("POST", f"{path}/rotate", None),
        ("POST", f"{path}/replay", {}),
    ):
        assert_problem(tester.call(method, below, json=body), 403, "test-key")
    assert site.rows()["webhooks"] == before


def test_the_secret_verifies_what_is_posted(site_with: SiteMaker) -> None:
    site = site_with(webhook_private_networks=receiver.LOOPBACK)
    api = Api(site)
    with receiver.running() as own:
        added = add(api, own.url)
        api.post(f"/webhooks/{added['webhook']['id']}/test")
        Hooks(site.database).deliver()
        (post,) = own.posts
        shown = api.get(f"/webhooks/{added['webhook']['id']}").json
    assert shown is not None
    assert shown["last_result"] == "status 204"
    assert post.event["type"] == "webhook.test"
    assert make.NOW.isoformat()[:19] in post.event["timestamp"]
