"""`POST /api/v1/links` returns what the library mints."""

from typing import Any

import pytest

from preference_center.core.vocab import ApiScope
from preference_center.web.api.links import MAX_RECIPIENTS
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import Site

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
