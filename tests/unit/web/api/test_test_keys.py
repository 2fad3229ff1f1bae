"""What a test key may do: act on reserved addresses, and send nothing."""

from typing import Any

import pytest

from preference_center.core.api_vocab import ApiKeyKind
from preference_center.web.api.test_keys import is_reserved
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import Site

REAL = "ada@northwind.shop"
STATEMENT = {"channel": "phone", "grounds": "consent", "wording": "Yes."}
START = {"topics": {"weekly-news": {"status": "subscribed"}}}


@pytest.fixture
def api(site: Site) -> Api:
    site.subscribe(REAL, topics=())
    return Api(site, kind=ApiKeyKind.TEST)


@pytest.mark.parametrize(
    "email",
    [
        "a@example.com",
        "a@mail.Example.NET",
        "a@example.org",
        "a@x.test",
        "a@test",
        "a@shop.example",
        "a@x.invalid",
        "a@localhost",
    ],
)
def test_a_reserved_domain_is_recognized(email: str) -> None:
    assert is_reserved(email)


@pytest.mark.parametrize(
    "email",
    [
        None,
        "",
        "example.org",
        "a@notexample.org",
        "a@example.org.shop",
        "a@example.de",
        "a@example.org@gmail.com",
        "a@xtest",
        "a@test.com",
        "a@еxample.org",
    ],
)
def test_any_other_domain_is_not_reserved(email: str | None) -> None:
    assert not is_reserved(email)


def requests(email: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Return a request to each route about one subscriber."""
    person = f"/subscribers/{make.id_of(email)}"
    return [
        ("GET", person, None),
        ("GET", f"{person}/history", None),
        ("POST", "/subscribers/lookup", {"email": email}),
        ("POST", "/subscribers", {"email": email, **START, **STATEMENT}),
        ("PUT", f"{person}/topics/weekly-news", {"status": "unsubscribed", **STATEMENT}),
        ("POST", f"{person}/unsubscribe", {"scope": "all", **STATEMENT}),
        ("POST", "/suppressions", {"email": email, **STATEMENT}),
        ("POST", "/suppressions/check", {"emails": ["a@example.org", email]}),
        ("POST", f"{person}/erase", None),
    ]


@pytest.mark.parametrize("email", [REAL, "new@northwind.shop"], ids=["known", "unknown"])
def test_a_test_key_cannot_act_on_any_other_address(site: Site, api: Api, email: str) -> None:
    api.get("/suppressions")  # It writes the day of use.
    before = site.rows()
    for method, path, body in requests(email):
        assert_problem(api.call(method, path, json=body), 403, "test-key")
    assert site.rows() == before


def test_a_test_key_can_use_every_route_for_a_reserved_address(site: Site, api: Api) -> None:
    for method, path, body in requests("ada@example.org"):
        assert api.call(method, path, json=body).status_code == 200, path


def test_a_test_key_causes_no_email(site: Site, api: Api) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session)
    body = {"email": "ada@example.org", **START, **STATEMENT}
    answer = api.post("/subscribers", json=body)
    assert answer.json["outcomes"] == {"weekly-news": "confirmation_sent"}
    assert site.emails() == []


def test_an_address_that_is_hidden_in_a_text_is_not_reserved(api: Api) -> None:
    for text in (f"a@example.org <{REAL}>", f"{REAL} (a@example.org)", f"{REAL}, a@example.org"):
        answer = api.post("/suppressions", json={"email": text, **STATEMENT})
        if answer.status_code != 403:
            assert answer.json["id"] != str(make.id_of(REAL))


def test_a_test_key_lists_suppressions_of_reserved_addresses_only(site: Site, api: Api) -> None:
    with site.database.transaction() as session:
        for email in ("ada@example.org", REAL, "unknown@example.org"):
            make.unsubscribe(session, email, slug=None)
    rows = api.get("/suppressions").json["suppressions"]
    assert [each["email"] for each in rows] == ["ada@example.org"]
    assert len(Api(site).get("/suppressions").json["suppressions"]) == 3
