"""`/api/v1/suppressions`."""

from typing import Any

import pytest

from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import Site
from tests.unit.web.api.test_history import pages

ADA, EVE = "ada@example.org", "eve@example.org"
STATEMENT = {"channel": "phone", "grounds": "request", "wording": "Please stop."}


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site)


def suppress(api: Api, email: str = EVE, **body: Any) -> Any:
    return api.post("/suppressions", json={"email": email, **STATEMENT, **body})


@pytest.mark.parametrize(
    ("body", "scope"), [({}, "address"), ({"scope": "all"}, "all")], ids=["address", "all"]
)
def test_an_address_is_suppressed_once(
    site: Site, api: Api, body: dict[str, str], scope: str
) -> None:
    for changed in (True, False):
        answer = suppress(api, "Eve <EVE@example.org>", **body)
        assert answer.json == {"id": str(make.id_of(EVE)), "changed": changed}
    assert site.unsubscribed(EVE) == [scope]
    eve = site.subscriber(EVE)
    assert eve is not None
    assert eve.email == "EVE@example.org"
    assert site.emails() == []


def test_an_unclear_address_is_suppressed_as_it_is(site: Site, api: Api) -> None:
    assert suppress(api, "not an address").json["changed"] is True
    assert site.unsubscribed("not an address") == ["address"]


def test_a_topic_is_no_suppression(api: Api) -> None:
    assert_problem(suppress(api, scope="topic"), 422, "invalid-request")


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "distributed"], indirect=True)
def test_every_suppression_is_listed_once(site: Site, api: Api) -> None:
    emails = [f"p{number}@example.org" for number in range(5)]
    for email in emails:
        suppress(api, email)
    suppress(api, emails[0], scope="all")
    api.post(f"/subscribers/{make.id_of()}/erase")
    found = pages(api, "/suppressions?limit=2", "suppressions")
    assert list(map(len, found)) == [2, 2, 2, 1]
    rows = [each for page in found for each in page]
    expected: list[Any] = [(str(make.id_of(each)), "address", each) for each in emails]
    expected += [(str(make.id_of(emails[0])), "all", emails[0]), (str(make.id_of()), "all", None)]
    assert [(each["id"], each["scope"], each["email"]) for each in rows] == sorted(expected)


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "distributed"], indirect=True)
def test_addresses_are_checked_in_their_order(site: Site, api: Api) -> None:
    suppress(api)
    suppress(api, scope="all")
    emails = ["Eve@example.org", ADA, "new@example.org", "no address"]
    checked = api.post("/suppressions/check", json={"emails": emails}).json["checked"]
    assert [each["email"] for each in checked] == emails
    assert [[stop["scope"] for stop in each["suppressions"]] for each in checked] == [
        ["address", "all"],
        [],
        [],
        [],
    ]
    assert checked[0]["id"] == str(make.id_of(EVE))


def test_no_address_to_check_is_a_problem(api: Api) -> None:
    for emails in ([], ["x"] * 1001):
        answer = api.post("/suppressions/check", json={"emails": emails})
        assert_problem(answer, 422, "invalid-request")
