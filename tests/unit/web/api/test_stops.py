"""`/api/v1/subscribers/{id}/unsubscribe` and `/erase`."""

from typing import Any

import pytest

from preference_center.core import feed, webhooks
from preference_center.core.api_vocab import ApiKeyKind
from preference_center.core.unacknowledged import HELD_FOR
from preference_center.core.vocab import Source
from preference_center.outbound.erasures import Erasures
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
    path, same = (
        f"/subscribers/{make.id_of()}/erase",
        {"id": str(make.id_of()), "waits_until": None},
    )
    assert api.post(path).json == {**same, "erased": True}
    assert api.post(path).json == {**same, "erased": False}
    assert api.get(f"/subscribers/{make.id_of()}").json["erasing"] is None
    assert ADA not in repr(site.rows())
    with site.database.reading() as session:
        (*_, erased) = make.events(session)
    assert erased == ("erased", "all")


def test_an_unknown_id_is_erased_and_suppressed(site: Site, api: Api) -> None:
    assert api.post(f"/subscribers/{make.id_of(EVE)}/erase").json["erased"] is True
    eve = site.subscriber(EVE)
    assert eve is not None
    assert "all" in eve.suppressions


# While consumers are told.


@pytest.fixture
def erasing(site: Site, api: Api) -> Api:
    """Erase Ada, while there is a webhook and a program that reads the feed."""
    with site.database.transaction() as session:
        webhooks.add(session, "https://hooks.example.org/", [], site.now)
    assert api.get("/events?after=latest").status_code == 200
    answer = api.post(f"/subscribers/{make.id_of()}/erase", headers={"Idempotency-Key": "1"})
    assert answer.json == {"id": str(make.id_of()), "erased": True, "waits_until": UNTIL}
    return api


UNTIL = (make.NOW + HELD_FOR).isoformat().replace("+00:00", "Z")


def shown(api: Api) -> Any:
    answer = api.get(f"/subscribers/{make.id_of()}")
    assert (answer.status_code, answer.json["email"]) == (200, None)
    return answer.json["erasing"]


def test_the_address_is_shown_while_it_is_held(site: Site, erasing: Api) -> None:
    assert shown(erasing) == {"email": ADA, "waits_until": UNTIL}
    site.now += HELD_FOR
    assert shown(erasing) is None


def test_nothing_else_has_the_address(site: Site, erasing: Api) -> None:
    statement = {"channel": "phone", "grounds": "request", "wording": "x"}
    wish = {**statement, "email": ADA, "topics": {"weekly-news": {"status": "unsubscribed"}}}
    answers = [
        erasing.post("/subscribers/lookup", json={"email": ADA}),
        erasing.post("/subscribers", json=wish, headers={"Idempotency-Key": "2"}),
        erasing.get(f"/subscribers/{make.id_of()}/history"),
        erasing.get("/suppressions"),
        erasing.post("/audience?topic=weekly-news&campaign=47", json={"id": str(make.id_of())}),
        erasing.get("/events"),
        erasing.get("/webhooks"),
    ]
    assert [each.status_code for each in answers] == [200] * len(answers)
    assert [each.text for each in answers if ADA in each.text] == []
    assert ADA not in repr(site.rows())
    assert shown(erasing)["email"] == ADA


def test_an_erasure_that_is_repeated_waits_for_the_first(site: Site, erasing: Api) -> None:
    site.now += HELD_FOR / 2
    answer = erasing.post(f"/subscribers/{make.id_of()}/erase")
    assert answer.json == {"id": str(make.id_of()), "erased": False, "waits_until": UNTIL}


def test_a_test_key_is_not_shown_the_address(site: Site, erasing: Api) -> None:
    test = Api(site, kind=ApiKeyKind.TEST)
    assert_problem(test.get(f"/subscribers/{make.id_of()}"), 403, "test-key")


def test_the_address_is_there_for_a_reader_until_it_goes_on(site: Site, erasing: Api) -> None:
    with site.database.transaction() as session:
        feed.number(session, site.now)
        (webhook,) = webhooks.list_all(session)
        webhooks.remove(session, webhook.id)
    page = erasing.get("/events").json
    Erasures(site.database, lambda: site.now).settle()
    assert page["events"][-1]["type"] == "subscriber.erasing"
    assert shown(erasing)["email"] == ADA
    erasing.get(f"/events?after={page['cursor']}")
    Erasures(site.database, lambda: site.now).settle()
    assert shown(erasing) is None
