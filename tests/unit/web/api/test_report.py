"""`/api/v1/report` and `/api/v1/campaigns`: rows with rates, and who was emailed after leaving."""

from datetime import timedelta
from typing import Any

import pytest

from preference_center.core import audience, topics
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.vocab import Source
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import Site

DAY = timedelta(days=1)
SENT = {"topic": "weekly-news", "campaign": "47", "date": "2026-11-20", "sent": 500}


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site, ApiScope.REPORTS)


@pytest.fixture
def mailed(site: Site) -> None:
    """Claim the emails of a mailing to four subscribers, of whom two leave."""
    with site.database.transaction() as session:
        emails = [f"p{number}@example.org" for number in range(4)]
        for email in emails:
            make.subscriber(session, email, since=make.NOW - DAY)
        ids = list(map(make.id_of, emails))
        audience.claim(session, topics.get(session, "weekly-news"), "47", ids, make.NOW)
        make.unsubscribe(session, emails[0], campaign="47", source="one-click")
        make.unsubscribe(session, emails[1], None, source="complaint", at=make.NOW + DAY)


def report(api: Api, **query: Any) -> list[dict[str, Any]]:
    answer = api.get("/report", query_string=query)
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    rows: list[dict[str, Any]] = answer.json["rows"]
    return rows


@pytest.mark.usefixtures("mailed")
def test_a_mailing_has_its_rate_and_how_people_left(api: Api) -> None:
    (row,) = report(api, campaign="47")
    assert (row["topic"], row["campaign"], row["month"]) == ("weekly-news", "47", None)
    assert (row["emailed"], row["left"], row["left_per_thousand"]) == (4, 2, 500.0)
    assert {name: count for name, count in row["left_by"].items() if count} == {
        "one-click": 1,
        "complaint": 1,
    }
    assert set(row["left_by"]) == set(Source)
    assert (row["left_everything"], row["subscribers"], row["previous"]) == (1, None, None)


@pytest.mark.usefixtures("mailed")
def test_rows_are_by_topic_or_month_with_subscribers(api: Api) -> None:
    (row,) = (each for each in report(api, by="topic") if each["topic"] == "weekly-news")
    # The site has two subscribers of its own.
    assert (row["campaign"], row["subscribers"], row["joined"]) == (None, 4, 6)
    months = {each["month"]: each["subscribers"] for each in report(api, by="month")}
    assert months["2026-11"] == 4


def test_nothing_is_divided_by_nothing(site: Site, api: Api) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, campaign="47")
    (row,) = report(api, campaign="47", compare="true", sort="rate")
    assert (row["emailed"], row["left"], row["left_per_thousand"]) == (None, 1, None)


@pytest.mark.parametrize(
    "query",
    [
        {"by": "week"},
        {"sort": "left"},
        {"since": "yesterday"},
        {"since": "2026-11-22T00:00:00"},  # without a zone
        {"topic": "Weekly News"},
        {"other": "1"},
        {"by": "topic", "compare": "true"},
        {
            "by": "topic",
            "compare": "true",
            "since": "1970-01-01T00:00:00Z",
            "until": "3999-01-01T00:00:00Z",
        },
    ],
)
def test_an_invalid_query_is_refused(api: Api, query: dict[str, str]) -> None:
    assert_problem(api.get("/report", query_string=query), 422, "invalid-request")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
@pytest.mark.parametrize("path", ["/report", "/report/emailed-after-leaving"])
def test_any_time_can_be_asked_for(api: Api, path: str, at: str) -> None:
    for query in ({"since": at}, {"until": at}, {"since": at, "until": at}):
        assert api.get(path, query_string=query).status_code == 200


def test_a_missing_value_of_a_query_is_not_null(api: Api) -> None:
    document = api.get("/openapi.json").json
    assert document is not None
    for parameter in document["paths"]["/api/v1/report"]["get"]["parameters"]:
        assert "null" not in str(parameter["schema"]), parameter


def test_an_unknown_topic_is_named(api: Api) -> None:
    answer = api.get("/report", query_string={"topic": "nowhere"})
    assert_problem(answer, 404, "unknown-topic")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/report"),
        ("GET", "/report/emailed-after-leaving"),
        ("GET", "/campaigns"),
        ("POST", "/campaigns"),
    ],
)
def test_another_scope_does_not_suffice(site: Site, method: str, path: str) -> None:
    other = Api(site, *set(ApiScope) - {ApiScope.REPORTS})
    assert_problem(other.call(method, path), 403, "missing-scope")


@pytest.mark.usefixtures("mailed")
def test_who_was_emailed_after_leaving_is_listed_by_id(site: Site, api: Api) -> None:
    path = "/report/emailed-after-leaving"
    assert api.get(path).json == {"since": "2026-11-15T14:05:00Z", "count": 0, "emails": []}
    with site.database.transaction() as session:
        for number in (2, 3):
            make.unsubscribe(
                session,
                f"p{number}@example.org",
                source="import",
                at=make.NOW + DAY,
                occurred_at=make.NOW - DAY,
            )
    found = api.get(path, query_string={"limit": 1}).json
    assert found is not None
    assert found["count"] == 2
    (email,) = found["emails"]
    assert email.pop("subscriber_id") in {str(make.id_of(f"p{n}@example.org")) for n in (2, 3)}
    assert email == {
        "topic": "weekly-news",
        "campaign": "47",
        "claimed_at": "2026-11-22T14:05:00Z",
        "left_at": "2026-11-21T14:05:00Z",
        "recorded_at": "2026-11-23T14:05:00Z",
        "scope": "topic",
        "source": "import",
        "when": "recorded_later",
    }
    later = {"since": "2026-11-23T00:00:00Z"}
    assert api.get(path, query_string=later).json["count"] == 0


def test_a_mailing_is_recorded_and_replaced(api: Api) -> None:
    first = api.post("/campaigns", json=SENT)
    assert first.json == {**SENT, "sender": ""}
    changed = {**SENT, "sent": 1000, "sender": "Newsletter tool"}
    assert api.post("/campaigns", json=changed).json == changed
    older = {**changed, "campaign": "46", "date": "2026-11-13"}
    api.post("/campaigns", json=older)
    assert api.get("/campaigns").json == {"campaigns": [changed, older]}
    until = api.get("/campaigns", query_string={"until": "2026-11-19", "topic": "weekly-news"})
    assert until.json == {"campaigns": [older]}
    assert api.get("/campaigns", query_string={"topic": "offers"}).json == {"campaigns": []}
    (row,) = report(api, campaign="47")
    assert row["emailed"] == 1000


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"topic": "nowhere"}, 404, "unknown-topic"),
        ({"campaign": "receipt"}, 422, "invalid-request"),
        ({"campaign": "a b"}, 422, "invalid-request"),
        ({"date": "20.11.2026"}, 422, "invalid-request"),
        ({"sent": -1}, 422, "invalid-request"),
        ({"sent": 2**31}, 422, "invalid-request"),
        ({"sender": "a\nb"}, 422, "invalid-request"),
        ({"sender": "x" * 201}, 422, "invalid-request"),
    ],
)
def test_an_invalid_mailing_is_refused(
    api: Api, change: dict[str, Any], status: int, code: str
) -> None:
    assert_problem(api.post("/campaigns", json={**SENT, **change}), status, code)
    assert api.get("/campaigns").json == {"campaigns": []}


def test_a_test_key_records_nothing_and_reads_nothing_about_subscribers(site: Site) -> None:
    api = Api(site, ApiScope.REPORTS, kind=ApiKeyKind.TEST)
    assert_problem(api.post("/campaigns", json=SENT), 403, "test-key")
    assert_problem(api.get("/report/emailed-after-leaving"), 403, "test-key")
    assert api.get("/report").status_code == 200
