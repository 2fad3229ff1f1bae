"""What every route of the API does with a request: errors as problems, and writes made once."""

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from limits import RateLimitItemPerMinute
from werkzeug.test import TestResponse

from preference_center.core import idempotency, on_behalf
from preference_center.store import Session, UnavailableError
from preference_center.store.tables import IdempotentRequest
from preference_center.web.api import limits, problems
from preference_center.web.api.arguments import MAX_BODY_BYTES
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import Site

EVE = "eve@example.org"
STATEMENT = {"channel": "phone", "grounds": "consent", "wording": "Yes."}
BODY = {"email": EVE, "topics": {"weekly-news": {"status": "subscribed"}}}
KEY = {"Idempotency-Key": "order-17"}


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site)


def save(api: Api, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    return api.post("/subscribers", json={**STATEMENT, **BODY, **changes}, headers=headers)


def pointers(answer: Any) -> list[str]:
    assert_problem(answer, 422, "invalid-request")
    return [each["pointer"] for each in answer.json["errors"]]


def test_each_fault_of_a_body_has_its_pointer(api: Api) -> None:
    topics = {"weekly-news": {"status": "maybe", "a/b~c": 1}, "No Slug": {"status": "subscribed"}}
    answer = save(api, channel=" ", topics=topics)
    assert sorted(pointers(answer)) == [
        "/channel",
        "/topics/No Slug",
        "/topics/weekly-news/a~1b~0c",
        "/topics/weekly-news/status",
    ]


@pytest.mark.parametrize("missing", STATEMENT)
def test_a_change_needs_channel_grounds_and_wording(api: Api, missing: str) -> None:
    body = {name: value for name, value in {**STATEMENT, **BODY}.items() if name != missing}
    assert pointers(api.post("/subscribers", json=body)) == [f"/{missing}"]


def test_no_value_of_a_request_is_quoted(api: Api) -> None:
    secret = "ada.secret@example.org"
    for changes in ({"locale": secret}, {"topics": {"weekly-news": {"status": secret}}}):
        assert secret not in save(api, email=secret, **changes).text
    assert secret not in api.get(f"/suppressions?after={secret}").text


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"emails": ["ada@example.org"], "emails": ["ada@example.org"]}', "emails"),
        (b'{"more": [{"x": 1, "\\u0078": 2}], "emails": ["ada@example.org"]}', "x"),
    ],
)
def test_a_member_that_is_given_twice_is_refused(api: Api, body: bytes, name: str) -> None:
    answer = api.post("/suppressions/check", data=body, content_type="application/json")
    assert_problem(answer, 422, "invalid-request")
    assert answer.json["detail"] == f"Two members of an object are named {name}."


@pytest.mark.parametrize("path", ["/audience?topic=weekly-news&campaign=c", "/imports", "/links"])
def test_a_body_that_was_cut_short_is_refused(
    api: Api, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    kind = "application/json" if path == "/links" else "text/csv"
    sent = {"data": b"email\nada@example.org\n", "content_type": kind}
    answer = api.post(path, **sent, environ_overrides={"CONTENT_LENGTH": "99"})
    assert_problem(answer, 400, "incomplete-body")
    (line,) = caplog.messages
    assert line.endswith(": the body ended before it was complete")


def test_the_server_refuses_a_body_that_was_cut_short_in_the_same_words() -> None:
    path, url = "/api/v1/audience", "https://mail.example.org"
    media_type, text = problems.of_refused_body(url, path, HTTPStatus.BAD_REQUEST)
    assert media_type == "application/problem+json"
    assert json.loads(text)["type"] == f"{url}/api/docs#incomplete-body"


def test_types_are_not_converted(api: Api) -> None:
    assert pointers(save(api, email=1)) == ["/email"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"email": "\xff"}', b'"\\ud800"', b"[" * 9999])
def test_a_body_that_is_not_json_is_refused(api: Api, body: bytes) -> None:
    answer = api.post("/subscribers", data=body, content_type="application/json")
    assert_problem(answer, 400, "invalid-json")


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"1"])
def test_a_body_that_is_no_object_is_invalid(api: Api, body: bytes) -> None:
    answer = api.post("/subscribers", data=body, content_type="application/json")
    assert pointers(answer) == [""]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_another_type_is_refused(api: Api, content_type: str) -> None:
    answer = api.post("/subscribers", data=json.dumps(BODY), content_type=content_type)
    assert_problem(answer, 415, "unsupported-type")


def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    answer = api.post(
        "/subscribers", data=b" " * (MAX_BODY_BYTES + 1), content_type="application/json"
    )
    assert_problem(answer, 413, "too-large")


def test_another_method_is_refused_with_those_allowed(api: Api) -> None:
    answer = api.call("DELETE", "/topics")
    assert_problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/subscribers/no-uuid", "/subscribers/lookup/x"])
def test_an_unknown_path_is_a_problem(api: Api, path: str) -> None:
    assert_problem(api.get(path), 404, "not-found")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "other=1"])
def test_an_invalid_query_has_a_pointer(api: Api, query: str) -> None:
    assert pointers(api.get(f"/suppressions?{query}")) == [f"/{query.partition('=')[0]}"]


def test_a_route_without_a_query_refuses_one(api: Api) -> None:
    assert_problem(api.get("/topics?x=1"), 422, "invalid-request")


def test_too_many_requests_are_refused_until_the_window_ends(
    site: Site, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_REQUESTS_PER_MINUTE", RateLimitItemPerMinute(1))
    first, second = api.get("/topics"), api.get("/topics")
    assert first.headers["RateLimit"].startswith('"minute";r=0;t=')
    assert second.headers["RateLimit-Policy"] == '"minute";q=1;w=60'
    assert_problem(second, 429, "too-many-requests")
    assert 1 <= int(second.headers["Retry-After"]) <= 61
    assert Api(site).get("/topics").status_code == 200


def test_a_problem_says_how_many_requests_remain(api: Api) -> None:
    first, second = save(api, email=1), save(api, topics={"other": {"status": "subscribed"}})
    assert (first.status_code, second.status_code) == (422, 404)
    assert first.headers["RateLimit"].startswith('"minute";r=1199;t=')
    assert second.headers["RateLimit"].startswith('"minute";r=1198;t=')


def test_a_database_that_is_out_is_a_problem(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise UnavailableError("down")

    monkeypatch.setattr(on_behalf, "make", fail)
    answer = save(api)
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "60"


def test_an_error_of_ours_is_a_problem_that_says_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("ada@example.org")

    monkeypatch.setattr(on_behalf, "make", fail)
    answer = save(api)
    assert_problem(answer, 500, "server-error")
    assert "ada" not in answer.text


def stored(site: Site) -> list[str]:
    with site.database.reading() as session:
        return [each.key for each in session.query(IdempotentRequest)]


def test_a_repeated_write_gets_the_same_answer(site: Site, api: Api) -> None:
    first = save(api, KEY)
    before = site.rows()
    second = save(api, KEY)
    assert (second.status_code, second.json) == (200, first.json)
    assert second.content_type == "application/json"
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["ETag"] == first.headers["ETag"] == '"1"'
    assert site.rows() == before
    assert save(api).json != first.json  # Without the key it is made again.


def test_another_body_with_the_key_is_refused(site: Site, api: Api) -> None:
    save(api, KEY)
    assert_problem(save(api, KEY, locale="de"), 422, "idempotency-key-reused")
    assert site.locale(EVE) is None


def test_another_subscriber_with_the_key_is_refused(api: Api) -> None:
    body = {**STATEMENT, "scope": "all"}
    for email, status in (("ada@example.org", 200), ("ben@example.org", 422)):
        path = f"/subscribers/{make.id_of(email)}/unsubscribe"
        assert api.post(path, json=body, headers=KEY).status_code == status


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite makes it wait.
def test_a_request_that_is_being_made_is_refused(
    site: Site, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_change, others = on_behalf.make, list[TestResponse]()

    def make_slowly(*arguments: Any) -> Any:
        others.append(save(api, KEY))
        return make_change(*arguments)

    monkeypatch.setattr(on_behalf, "make", make_slowly)
    assert save(api, KEY).status_code == 200
    (other,) = others
    assert_problem(other, 409, "idempotency-key-in-use")
    assert site.events(EVE) == [("subscribed", "weekly-news")]


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "é"])
def test_an_idempotency_key_has_1_to_255_visible_characters(api: Api, key: str) -> None:
    assert_problem(save(api, {"Idempotency-Key": key}), 422, "invalid-request")
    assert save(api, {"Idempotency-Key": "x" * 255}).status_code == 200


def test_a_failed_write_is_not_kept(site: Site, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_problem(save(api, KEY, topics={"other": {"status": "subscribed"}}), 404, "unknown-topic")
    assert stored(site) == []
    assert save(api, KEY).status_code == 200


def test_a_write_whose_commit_failed_can_be_made_again(
    site: Site, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change and its answer are rolled back together."""
    finish = idempotency.finish

    def fail(*arguments: Any) -> None:
        finish(*arguments)
        monkeypatch.setattr(idempotency, "finish", finish)
        raise UnavailableError("down")

    monkeypatch.setattr(idempotency, "finish", fail)
    assert_problem(save(api, KEY), 503, "unavailable")
    assert site.subscriber(EVE) is None
    assert save(api, KEY).status_code == 200


def test_an_answer_that_was_committed_is_replayed_after_an_error(
    site: Site, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The COMMIT was made, but its result did not arrive."""
    finish = idempotency.finish

    def finish_and_lose(session: Session, *arguments: Any) -> None:
        finish(session, *arguments)
        commit = session.commit

        def lose() -> None:
            commit()
            raise UnavailableError("no answer")

        monkeypatch.setattr(session, "commit", lose)

    monkeypatch.setattr(idempotency, "finish", finish_and_lose)
    assert_problem(save(api, KEY), 503, "unavailable")
    monkeypatch.setattr(idempotency, "finish", finish)
    assert save(api, KEY).headers["Idempotency-Replayed"] == "true"
    assert site.events(EVE) == [("subscribed", "weekly-news")]


def test_a_process_that_ends_during_a_write_holds_the_key_for_a_minute(
    site: Site, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_change = on_behalf.make
    monkeypatch.setattr(on_behalf, "make", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save(api, KEY)
    monkeypatch.setattr(on_behalf, "make", make_change)
    site.now += idempotency.LEASE - timedelta(seconds=1)
    assert_problem(save(api, KEY), 409, "idempotency-key-in-use")
    site.now += timedelta(seconds=1)
    assert save(api, KEY).status_code == 200


def test_erasing_a_subscriber_deletes_the_answers_about_them(site: Site, api: Api) -> None:
    save(api, KEY)
    save(api, {"Idempotency-Key": "other"}, email="other@example.org")
    answer = api.post(f"/subscribers/{make.id_of(EVE)}/erase", headers={"Idempotency-Key": "erase"})
    assert answer.status_code == 200
    assert sorted(stored(site)) == ["erase", "other"]
    assert EVE not in repr(site.rows())
    assert (
        api.post(f"/subscribers/{make.id_of(EVE)}/erase", headers={"Idempotency-Key": "erase"}).json
        == answer.json
    )


def test_a_parameter_is_given_once(api: Api) -> None:
    answer = api.call("PATCH", "/topics/weekly-news?dry_run=true&dry_run=false", json={})
    assert_problem(answer, 422, "invalid-request")
    assert answer.json["errors"] == [{"pointer": "/dry_run", "detail": "Give it once."}]


@pytest.mark.parametrize("slug", ["No-Topic", "a%00b", "%20", "x" * 33])
def test_a_path_that_no_name_fits_is_not_found(api: Api, slug: str) -> None:
    assert_problem(api.get(f"/topics/{slug}"), 404, "not-found")


@pytest.mark.parametrize("until", ["0", "1700000000", "2026-13-01", "soon"])
def test_a_day_is_written_as_in_rfc_3339(api: Api, until: str) -> None:
    answer = api.get("/campaigns", query_string={"until": until})
    assert_problem(answer, 422, "invalid-request")
    assert answer.json["errors"][0]["pointer"] == "/until"


def test_a_whole_number_may_have_a_point(api: Api) -> None:
    mailing = {"topic": "weekly-news", "campaign": "2026-47", "date": "2026-11-20"}
    answer = api.post("/campaigns", json={**mailing, "sent": 938.0})
    assert (answer.status_code, answer.json["sent"]) == (200, 938)
    assert pointers(api.post("/campaigns", json={**mailing, "sent": 938.5})) == ["/sent"]
