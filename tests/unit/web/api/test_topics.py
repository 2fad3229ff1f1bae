"""`/api/v1/topics`: list, add, change and delete topics."""

from typing import Any

import pytest

from preference_center.core.api_vocab import ApiScope
from tests.support.api import Api, assert_problem
from tests.support.site import Site


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site, ApiScope.TOPICS)


def change(api: Api, slug: str = "weekly-news", query: str = "", **body: Any) -> Any:
    return api.call("PATCH", f"/topics/{slug}{query}", json=body)


def test_topics_are_listed_by_slug(api: Api) -> None:
    answer = api.get("/topics")
    assert answer.status_code == 200
    assert answer.json is not None
    assert [each["slug"] for each in answer.json["topics"]] == ["product-news", "weekly-news"]
    assert answer.json["topics"][1] == {
        "slug": "weekly-news",
        "policy": "opt_in",
        "cadence": "irregular",
        "visibility": "public",
        "change_notices": True,
        "created_at": "2026-11-22T14:05:00Z",
        "archived_at": None,
        "texts": {"en": {"name": "Weekly news", "description": ""}},
    }


def test_a_topic_is_added_once(api: Api) -> None:
    new = {"slug": "offers", "description": "Now and then.", "visibility": "hidden"}
    answer = api.post("/topics", json=new)
    assert answer.status_code == 201
    assert answer.json is not None
    assert (answer.json["visibility"], answer.json["policy"]) == ("hidden", "opt_in")
    assert answer.json["texts"] == {"en": {"name": "Offers", "description": "Now and then."}}
    assert_problem(api.post("/topics", json=new), 409, "conflict")


def test_a_change_says_whom_it_concerns_and_a_dry_run_changes_nothing(site: Site, api: Api) -> None:
    site.subscribe("cyd@example.org", topics=("offers",))
    before = site.rows()
    tried = change(api, query="?dry_run=true", policy="opt_out").json
    assert (tried["before"]["receiving"], tried["after"]["receiving"]) == (2, 3)
    assert tried["topic"]["policy"] == "opt_in"
    assert {**site.rows(), "api_keys": []} == {**before, "api_keys": []}
    made = change(api, policy="opt_out", texts={"de": {"name": "Wochenbrief"}}).json
    assert made["topic"]["policy"] == "opt_out"
    assert made["topic"]["texts"]["de"]["name"] == "Wochenbrief"
    assert api.get("/topics/weekly-news").json == {**made, "before": made["after"]}


def test_a_topic_is_archived_and_unarchived(api: Api) -> None:
    assert change(api, archived=True).json["topic"]["archived_at"] == "2026-11-22T14:05:00Z"
    assert change(api, archived=False).json["topic"]["archived_at"] is None


def test_only_an_unused_topic_is_deleted(site: Site, api: Api) -> None:
    site.add_topic("unused")
    assert api.call("DELETE", "/topics/unused").status_code == 204
    assert_problem(api.get("/topics/unused"), 404, "unknown-topic")
    assert_problem(api.call("DELETE", "/topics/weekly-news"), 409, "conflict")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"policy": "maybe"}, "/policy"),
        ({"public": True}, "/public"),
        ({"texts": {"de": {"name": "a\nb"}}}, "/texts/de/name"),
        ({"archived": "yes"}, "/archived"),
    ],
)
def test_an_invalid_change_names_the_member(api: Api, body: dict[str, Any], pointer: str) -> None:
    answer = change(api, **body)
    assert_problem(answer, 422, "invalid-request")
    assert [each["pointer"] for each in answer.json["errors"]] == [pointer]


def test_a_language_tag_that_is_none_is_a_problem(api: Api) -> None:
    assert_problem(change(api, texts={"!": {"name": "a"}}), 409, "conflict")
