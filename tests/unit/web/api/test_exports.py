"""`POST /exports`: the same file as the command's, whole or with a broken connection."""

import csv
import gzip
import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.data import exports
from preference_center.store import UnavailableError, streaming
from preference_center.store.tables import Fetch
from preference_center.web.api.exports import FORMATS
from preference_center.web.api.streams import MAX_EXPORTS
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.command import run
from tests.support.outage import down
from tests.support.site import Site


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site, ApiScope.EXPORTS)


@pytest.fixture
def row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BATCH_SIZE", 1)


def export(api: Api, what: str = "preferences", **members: Any) -> Any:
    return api.post("/exports", json={"what": what, **members})


def fetches(site: Site) -> dict[str, Any]:
    with site.database.reading() as session:
        return {each.topic: each.seen_until for each in session.scalars(select(Fetch))}


@pytest.mark.parametrize("what", sorted(exports.KINDS))
@pytest.mark.parametrize("file_format", sorted(FORMATS))
def test_the_file_is_that_of_the_command(
    site: Site, api: Api, database_url: str, what: str, file_format: str
) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, "bob@example.org", None)
        make.subscriber(session, "'=1+1,é@example.org", "weekly-news")
    expected = run(database_url, "export", what, "--format", file_format).stdout_bytes
    answer = export(api, what, format=file_format)
    assert (answer.status_code, answer.data) == (200, expected)
    assert answer.mimetype == FORMATS[file_format]
    assert answer.content_length is None


def test_the_answer_says_what_and_when_it_is(site: Site, api: Api) -> None:
    answer = export(api, "suppressions", topic="weekly-news")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Export-Began-At"] == "2026-11-22T14:05:00Z"
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="suppressions-weekly-news-20261122T140500Z.csv"'
    )
    assert answer.headers["Vary"] == "Accept-Encoding"


def test_rows_are_chosen_by_topic_and_time(site: Site, api: Api) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, at=make.NOW)
    since = (make.NOW - timedelta(days=1)).isoformat()
    assert len(export(api, "ledger", changed_since=since).text.splitlines()) == 2
    assert len(export(api, "ledger", until=since).text.splitlines()) == 5
    assert len(export(api, "ledger", topic="product-news").text.splitlines()) == 3


def test_an_empty_export_is_a_file(api: Api) -> None:
    assert export(api, "suppressions").text == "email,id,kind,topic,since,source,erased_at\r\n"
    assert export(api, "suppressions", format="jsonl").data == b""


def test_gzip_is_answered(api: Api, row_by_row: None) -> None:
    plain = export(api, "ledger").data
    headers = {"Accept-Encoding": "br, gzip;q=0.5"}
    for what, expected in (("ledger", plain), ("reasons", b"week,topic,campaign,code,note\r\n")):
        answer = api.post("/exports", json={"what": what}, headers=headers)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.data) == expected
    refused = api.post("/exports", json={"what": "ledger"}, headers={"Accept-Encoding": "br"})
    assert "Content-Encoding" not in refused.headers


def test_a_complete_export_is_a_fetch(site: Site, api: Api, row_by_row: None) -> None:
    began_at = site.now
    answer = api.post("/exports", json={"what": "preferences"}, buffered=False)
    parts = iter(answer.response)
    rows = [next(parts) for _ in range(4)]
    site.now += timedelta(minutes=5)
    assert fetches(site) == {}
    rows += parts
    assert len(list(csv.DictReader(io.StringIO(b"".join(rows).decode())))) == 4
    assert fetches(site) == {"": began_at - timedelta(minutes=1)}


def test_an_export_that_the_client_leaves_is_none(site: Site, api: Api, row_by_row: None) -> None:
    answer = api.post("/exports", json={"what": "preferences"}, buffered=False)
    next(iter(answer.response))
    answer.close()
    assert fetches(site) == {}
    assert export(api).status_code == 200


def test_a_failure_after_the_beginning_breaks_the_connection(
    site: Site, api: Api, row_by_row: None, caplog: pytest.LogCaptureFixture
) -> None:
    answer = api.post("/exports", json={"what": "preferences"}, buffered=False)
    parts = iter(answer.response)
    next(parts)
    with down(site.database, UnavailableError("gone away")), pytest.raises(ConnectionAbortedError):
        list(parts)
    assert "gone away" in caplog.text
    assert fetches(site) == {}


def test_without_the_database_there_is_no_file(site: Site, api: Api) -> None:
    for database in (site.services.export_database, site.database):
        with down(database):
            answer = export(api)
        assert_problem(answer, 503, "unavailable")
        assert answer.headers["Retry-After"] == "60"
    assert export(api).status_code == 200


def test_a_few_exports_are_answered_at_once(api: Api) -> None:
    sent = {"json": {"what": "ledger"}, "buffered": False}
    open_answers = [api.post("/exports", **sent) for _ in range(MAX_EXPORTS)]
    answer = export(api)
    assert_problem(answer, 503, "busy")
    assert answer.headers["Retry-After"] == "10"
    open_answers[0].close()
    assert export(api).status_code == 200
    for each in open_answers[1:]:
        each.close()


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"what": "everything"},
        {"what": "ledger", "format": "pdf"},
        {"what": "ledger", "topic": "No Slug"},
        {"what": "ledger", "changed_since": "yesterday"},
        {"what": "ledger", "changed_since": "2026-11-22"},
        {"what": "ledger", "changed_since": 17},
        {"what": "ledger", "more": 1},
    ],
)
def test_a_request_that_makes_no_sense_is_refused(api: Api, members: dict[str, Any]) -> None:
    answer = api.post("/exports", json=members)
    assert_problem(answer, 422, "invalid-request")
    assert len(answer.json["errors"]) == 1


@pytest.mark.parametrize(
    "members",
    [
        {"what": "ledger", "status": "subscribed"},
        {"what": "preferences", "status": "gone"},
        {"what": "suppressions", "frequency": "weekly"},
    ],
)
def test_a_filter_that_an_export_does_not_have_is_refused(
    api: Api, members: dict[str, Any]
) -> None:
    assert_problem(api.post("/exports", json=members), 422, "invalid-request")


def test_rows_are_chosen_by_status_and_locale(site: Site, api: Api) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, at=make.NOW)
    everyone = export(api, "preferences").text.splitlines()
    ended = export(api, "preferences", status="unsubscribed").text.splitlines()
    assert 1 < len(ended) < len(everyone)
    assert len(export(api, "preferences", locale="fr").text.splitlines()) == 1


def test_other_requests_are_refused(site: Site, api: Api) -> None:
    assert_problem(export(api, topic="none"), 404, "unknown-topic")
    assert_problem(
        api.post("/exports", data="{", content_type="application/json"), 400, "invalid-json"
    )
    assert_problem(api.post("/exports", data="what=ledger"), 415, "unsupported-type")
    assert_problem(api.post("/exports?what=ledger"), 422, "invalid-request")
    assert_problem(export(Api(site, ApiScope.IMPORTS)), 403, "missing-scope")
    assert_problem(export(Api(site, kind=ApiKeyKind.TEST)), 403, "test-key")


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1"])
def test_a_client_that_cannot_see_a_broken_connection_is_refused(api: Api, version: str) -> None:
    answer = api.post(
        "/exports", json={"what": "ledger"}, environ_overrides={"SERVER_PROTOCOL": version}
    )
    assert_problem(answer, 505, "old-http")


def test_the_openapi_document_lists_what_can_be_exported(site: Site) -> None:
    document: Any = site.get("/api/v1/openapi.json").json
    members = document["components"]["schemas"]["ExportRequest"]["properties"]
    assert members["what"]["enum"] == sorted(exports.KINDS)
    answer = document["paths"]["/api/v1/exports"]["post"]["responses"]["200"]
    assert set(answer["content"]) == set(FORMATS.values())
