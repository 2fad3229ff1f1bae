"""`/api/v1/subscribers/{id}/unsubscribe` and `/erase`."""

from typing import Any

import pytest

from preference_center.core.vocab import Source
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import Site

ADA, EVE = "ada@example.org", "eve@example.org"
STATEMENT = {"channel": "phone", "grounds": "request", "wording": "Please stop."}


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site)


def unsubscribe(api: Api, email: str = ADA, **body: Any) -> Any:
    return api.post(f"/subscribers/{make.id_of(email)}/unsubscribe", json={**STATEMENT, **body})


@pytest.mark.parametrize("email", [ADA, EVE], ids=["known", "unknown"])
@pytest.mark.parametrize(
    "body",
    [{"scope": "topic", "topic": "weekly-news"}, {"scope": "all"}, {"scope": "address"}],
    ids=str,
)
def test_anyone_is_unsubscribed_once(
    site: Site, api: Api, email: str, body: dict[str, Any]
) -> None:
    assert unsubscribe(api, email, **body).json == {"id": str(make.id_of(email)), "changed": True}
    assert unsubscribe(api, email, **body).json == {"id": str(make.id_of(email)), "changed": False}
    assert site.unsubscribed(email) == [body.get("topic", body["scope"])]
    assert site.emails() == []


def test_an_unsubscribe_is_applied_whatever_is_on_record(site: Site, api: Api) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, source=Source.COMPLAINT)
    assert unsubscribe(api, scope="all").json["changed"] is True


@pytest.mark.parametrize(
    "body",
    [{"scope": "topic"}, {"scope": "all", "topic": "weekly-news"}, {"scope": "every"}, {}],
    ids=str,
)
def test_a_topic_is_named_with_its_scope_only(site: Site, api: Api, body: dict[str, Any]) -> None:
    assert_problem(unsubscribe(api, **body), 422, "invalid-request")
    assert site.unsubscribed() == []


def test_an_unknown_topic_is_a_problem(site: Site, api: Api) -> None:
    answer = unsubscribe(api, scope="topic", topic="unheard-of")
    assert_problem(answer, 404, "unknown-topic")


def test_a_subscriber_is_erased_once(site: Site, api: Api) -> None:
    path = f"/subscribers/{make.id_of()}/erase"
    assert api.post(path).json == {"id": str(make.id_of()), "erased": True}
    assert api.post(path).json == {"id": str(make.id_of()), "erased": False}
    assert ADA not in repr(site.rows())
    with site.database.reading() as session:
        (*_, erased) = make.events(session)
    assert erased == ("erased", "all")


def test_an_unknown_id_is_erased_and_suppressed(site: Site, api: Api) -> None:
    assert api.post(f"/subscribers/{make.id_of(EVE)}/erase").json["erased"] is True
    eve = site.subscriber(EVE)
    assert eve is not None
    assert "all" in eve.suppressions
