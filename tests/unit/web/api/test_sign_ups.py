"""`POST /api/v1/sign-ups`: the page to sign up, for a program."""

from typing import Any

import pytest

from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.vocab import Scope
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import Site, path_in
from tests.support.web_fixtures import SiteMaker

NEW = "new@example.org"
WORDING = "Send me the weekly news."
BODY = {
    "email": NEW,
    "topics": ["weekly-news"],
    "wording": WORDING,
    "form_url": "https://www.example.org/news",
}


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site, ApiScope.SIGN_UPS)


def sign_up(api: Api, **changes: Any) -> Any:
    return api.post("/sign-ups", json={**BODY, **changes})


def test_a_program_signs_up_as_the_page_does(site: Site, api: Api) -> None:
    answer = sign_up(api, email="New <NEW@example.org>", language="de-AT")
    assert (answer.status_code, answer.text) == (204, "")
    assert site.subscriber(NEW) is None
    (message,) = site.emails()
    assert (message["To"], message["Content-Language"]) == (NEW, "de")
    page = site.page(path_in(message, "/c/"))
    site.press(page, page.buttons[0])
    found = site.subscriber(NEW)
    assert found is not None
    assert found.subscriptions["weekly-news"].consent_source == (
        "sign-up at https://www.example.org/news"
    )
    texts = [row[1] for row in site.rows()["wordings"]]
    assert f"{WORDING}\n{page.buttons[0]}" in texts


def test_the_answer_is_the_same_for_every_address(site: Site, api: Api) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, "bob@example.org", None, Scope.ADDRESS, source="api")
    for email in ("ada@example.org", "bob@example.org", NEW):
        assert sign_up(api, email=email).status_code == 204


def test_page_and_program_share_one_limit(site: Site, api: Api) -> None:
    form = {"email": NEW, "topic": "weekly-news", "page": "own"}
    for _ in range(2):
        assert site.post("/sign-up", data=form).status_code == 303
        site.emails()
    counts = []
    for _ in range(3):
        assert sign_up(api).status_code == 204
        counts.append(len(site.emails()))
    assert counts == [1, 0, 0]


@pytest.mark.parametrize("slug", ["no-such-topic", "hidden", "old"])
def test_only_public_topics_can_be_named(site: Site, api: Api, slug: str) -> None:
    site.add_topic("hidden", visibility="hidden")
    site.add_topic("old")
    site.archive("old")
    before = site.rows()
    assert_problem(sign_up(api, topics=["weekly-news", slug]), 404, "unknown-topic")
    assert site.rows()["sign_ups"] == before["sign_ups"]


@pytest.mark.parametrize("email", ["ada", "ada@", "a b@example.org"])
def test_an_address_must_be_one_that_email_can_be_sent_to(api: Api, email: str) -> None:
    assert_problem(sign_up(api, email=email), 409, "conflict")


def test_another_scope_is_not_enough(site: Site) -> None:
    others = [each for each in ApiScope if each is not ApiScope.SIGN_UPS]
    assert_problem(sign_up(Api(site, *others)), 403, "missing-scope")


def test_a_test_key_sends_nothing(site: Site) -> None:
    api = Api(site, ApiScope.SIGN_UPS, kind=ApiKeyKind.TEST)
    assert sign_up(api).status_code == 204
    assert_problem(sign_up(api, email="ada@northwind.eu"), 403, "test-key")
    assert site.emails() == []
    assert site.rows()["sign_ups"] == []


def test_without_smtp_nobody_can_sign_up(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe()
    assert_problem(sign_up(Api(site, ApiScope.SIGN_UPS)), 404, "not-found")
