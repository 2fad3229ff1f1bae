"""`POST /api/v1/links` returns what the library mints; `/links/signed-in` a link of its own."""

from datetime import timedelta
from typing import Any

import pytest

from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.web.api.links import MAX_RECIPIENTS
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import ORIGIN, Site, link
from tests.support.web_fixtures import SiteMaker

MAILING = {"topic": "weekly-news", "campaign": "2026-47"}


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site, ApiScope.LINKS)


def mint(api: Api, *recipients: dict[str, Any], **changes: Any) -> Any:
    return api.post("/links", json={**MAILING, "recipients": recipients, **changes})


def test_the_links_are_those_of_the_library_in_order(api: Api) -> None:
    ada, bob = make.id_of("ada@example.org"), make.id_of("bob@example.org")
    answer = mint(api, {"email": "Ada <ADA@example.org>"}, {"id": str(bob)})
    assert answer.status_code == 200
    minted = [
        make.minter().mint(
            each, "weekly-news", "2026-47", day=make.NOW.date(), list_name="Weekly news"
        )
        for each in (ada, bob)
    ]
    assert answer.json == {"links": [{**each._asdict(), "id": str(each.id)} for each in minted]}


def test_links_change_nothing_but_the_day_of_the_keys_use(site: Site, api: Api) -> None:
    mint(api, {"email": "ada@example.org"})
    before = site.rows()
    mint(api, {"email": "new@example.org"})
    assert site.rows() == before


def test_an_unknown_topic_is_a_problem(api: Api) -> None:
    answer = mint(api, {"email": "ada@example.org"}, topic="unheard-of")
    assert_problem(answer, 404, "unknown-topic")


@pytest.mark.parametrize(
    "recipients",
    [
        [],
        [{}],
        [{"email": "ada@example.org", "id": str(make.id_of())}],
        [{"email": "a\nb@example.org"}],
        [{"id": "no-uuid"}],
        [{"email": "ada@example.org"}] * (MAX_RECIPIENTS + 1),
    ],
    ids=["none", "no-identity", "two-identities", "line-break", "no-uuid", "too-many"],
)
def test_recipients_that_cannot_be_used_are_a_problem(
    api: Api, recipients: list[dict[str, Any]]
) -> None:
    answer = mint(api, *recipients)
    assert_problem(answer, 422, "invalid-request")
    assert answer.json["errors"][0]["pointer"].startswith("/recipients")


def test_a_reserved_campaign_is_a_problem(api: Api) -> None:
    answer = mint(api, {"email": "ada@example.org"}, campaign="receipt")
    assert_problem(answer, 422, "invalid-request")


def test_the_links_of_a_test_can_be_minted(site: Site, api: Api) -> None:
    answer = mint(api, {"email": "ada@example.org"}, campaign="test")
    (minted,) = answer.json["links"]
    assert minted["unsubscribe_url"] == f"{ORIGIN}{link(campaign='test')}"
    before = site.rows()
    assert site.post(minted["unsubscribe_url"].removeprefix(ORIGIN)).status_code == 200
    assert site.rows() == before


# Links for signed-in customers.


@pytest.fixture
def signed_in_api(site: Site) -> Api:
    return Api(site, ApiScope.SIGNED_IN_LINKS)


@pytest.mark.parametrize("body", [{"email": "Ada <ada@Example.org>"}, {"id": str(make.id_of())}])
def test_a_signed_in_link_starts_topics_of_its_customer(
    site: Site, signed_in_api: Api, body: dict[str, Any]
) -> None:
    site.add_topic("town-letter")
    answer = signed_in_api.post("/links/signed-in", json=body)
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["expires_at"] == "2026-11-22T14:20:00Z"
    url = answer.json["url"]
    assert url.startswith(f"{ORIGIN}/p/")
    page = site.page(url.removeprefix(ORIGIN))
    page.tick("Town letter")
    site.press(page, "Save")
    assert site.subscriptions()["town-letter"][0] == "subscribed"
    site.now += timedelta(minutes=15)
    assert site.get(url.removeprefix(ORIGIN)).status_code == 410


def test_a_signed_in_link_is_not_on_record(site: Site, signed_in_api: Api) -> None:
    signed_in_api.post("/links/signed-in", json={"email": "ada@example.org"})
    before = site.rows()
    signed_in_api.post("/links/signed-in", json={"email": "new@example.org"})
    assert site.rows() == before


@pytest.mark.parametrize(
    ("language", "query"),
    [("de", "?lang=de"), ("de-AT", "?lang=de"), ("fr", ""), ("en", "?lang=en"), (None, "")],
)
def test_the_language_of_the_page_can_be_chosen(
    site_with: SiteMaker, language: str | None, query: str
) -> None:
    site = site_with(languages=("en", "de"))
    api = Api(site, ApiScope.SIGNED_IN_LINKS)
    body = {"email": "ada@example.org", "language": language}
    answer = api.post("/links/signed-in", json=body)
    assert answer.json is not None
    assert answer.json["url"].partition("?")[2] == query.removeprefix("?")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ada@example.org", "id": str(make.id_of())},
        {"email": "ada@example.org", "language": "de&x"},
        {"email": "ada@example.org", "topic": "weekly-news"},
    ],
)
def test_a_body_that_cannot_be_used_is_a_problem(signed_in_api: Api, body: dict[str, Any]) -> None:
    assert_problem(signed_in_api.post("/links/signed-in", json=body), 422, "invalid-request")


def test_the_scope_for_links_of_mailings_is_not_enough(api: Api) -> None:
    answer = api.post("/links/signed-in", json={"email": "ada@example.org"})
    assert_problem(answer, 403, "missing-scope")


@pytest.mark.parametrize("path", ["/links", "/links/signed-in"])
def test_a_test_key_gets_links_of_reserved_addresses_only(site: Site, path: str) -> None:
    api = Api(site, kind=ApiKeyKind.TEST)
    for recipient, status in (
        ({"email": "Ada <ada@example.org>"}, 200),
        ({"email": "ada@shop.de"}, 403),
        ({"id": str(make.id_of())}, 200),
        ({"id": str(make.id_of("never-seen@example.org"))}, 403),
    ):
        body = recipient if path != "/links" else {**MAILING, "recipients": [recipient]}
        answer = api.post(path, json=body)
        assert answer.status_code == status, recipient
        if status == 403:
            assert_problem(answer, 403, "test-key")
