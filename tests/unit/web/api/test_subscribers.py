"""`/api/v1/subscribers`: what subscribers get, and changes on their behalf."""

from typing import Any

import pytest

from preference_center.core.vocab import Frequency, Source
from tests.support import make
from tests.support.api import Api, assert_problem
from tests.support.site import Site, confirm, path_in
from tests.support.web_fixtures import SiteMaker

ADA, EVE = "ada@example.org", "eve@example.org"
STATEMENT = {"channel": "phone", "grounds": "consent", "wording": "Yes, send me the news."}
NEWS = f"/subscribers/{make.id_of(ADA)}/topics/weekly-news"


@pytest.fixture
def api(site: Site) -> Api:
    return Api(site)


def save(api: Api, email: str = EVE, **wishes: Any) -> Any:
    topics = {slug.replace("_", "-"): {"status": status} for slug, status in wishes.items()}
    return api.post("/subscribers", json={"email": email, "topics": topics, **STATEMENT})


def put(
    api: Api, status: str = "subscribed", path: str = NEWS, if_match: str = "", **wish: Any
) -> Any:
    headers = {"If-Match": if_match} if if_match else {}
    return api.put(path, json={"status": status, **STATEMENT, **wish}, headers=headers)


def unsubscribe(site: Site, **changes: Any) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, **changes)


def faults(answer: Any) -> list[str]:
    assert_problem(answer, 409, "conflict")
    return [each["pointer"] for each in answer.json["errors"]]


def test_a_subscriber_is_shown_by_id_and_by_address(api: Api) -> None:
    by_id = api.get(f"/subscribers/{make.id_of()}")
    by_address = api.post("/subscribers/lookup", json={"email": " Ada <ADA@example.org>"})
    assert by_id.json == {**by_address.json, "erasing": None}
    assert by_id.headers["ETag"] == by_address.headers["ETag"] == '"2"'
    assert by_id.json["email"] == ADA
    assert by_id.json["suppressions"] == []
    news = by_id.json["topics"]["weekly-news"]
    assert (news["received"], news["status"], news["frequency"]) == (True, "subscribed", "every")


def test_a_subscription_below_a_suppression_is_not_received(site: Site, api: Api) -> None:
    unsubscribe(site, slug=None)
    found = api.get(f"/subscribers/{make.id_of()}").json
    assert found["topics"]["weekly-news"]["status"] == "subscribed"
    assert found["topics"]["weekly-news"]["received"] is False
    (stop,) = found["suppressions"]
    assert stop == {"scope": "all", "since": "2026-11-22T14:05:00Z", "source": "page"}


def test_an_opt_out_topic_is_shown_while_it_is_received(site: Site, api: Api) -> None:
    site.add_topic("offers", policy="opt_out")
    offers = api.get(f"/subscribers/{make.id_of()}").json["topics"]["offers"]
    assert (offers["received"], offers["status"]) == (True, None)


def test_a_subscriber_who_is_not_on_record_is_a_problem_with_their_id(api: Api) -> None:
    for answer in (
        api.get(f"/subscribers/{make.id_of(EVE)}"),
        api.post("/subscribers/lookup", json={"email": EVE}),
    ):
        assert_problem(answer, 404, "unknown-subscriber")
        assert answer.json["id"] == str(make.id_of(EVE))


def test_a_new_subscriber_is_recorded(site: Site, api: Api) -> None:
    body = {"email": "Eve <Eve@example.org>", "locale": "pt-BR", **STATEMENT}
    topics = {"weekly-news": {"status": "subscribed", "frequency": "weekly", "pause": "2-weeks"}}
    answer = api.post("/subscribers", json={**body, "topics": topics})
    assert answer.status_code == 200
    assert answer.json["outcomes"] == {"weekly-news": "changed"}
    shown = api.get(f"/subscribers/{make.id_of(EVE)}")
    assert shown.json == {**answer.json["subscriber"], "erasing": None}
    assert answer.headers["ETag"] == shown.headers["ETag"]
    assert (shown.json["email"], shown.json["locale"]) == ("Eve@example.org", "pt-BR")
    news = shown.json["topics"]["weekly-news"]
    assert (news["channel"], news["grounds"], news["source"]) == ("phone", "consent", "api")
    assert (news["frequency"], news["paused_until"]) == ("weekly", "2026-12-06T00:00:00Z")


@pytest.mark.parametrize("email", ["eve", "eve@", "a@example.org, b@example.org", "e ve@x"])
def test_an_unclear_address_is_not_recorded(site: Site, api: Api, email: str) -> None:
    before = site.rows()["subscribers"]
    answer = save(api, email, weekly_news="subscribed")
    assert_problem(answer, 422, "invalid-request")
    assert answer.json["errors"][0]["pointer"] == "/email"
    assert site.rows()["subscribers"] == before


def test_an_unknown_topic_changes_nothing(site: Site, api: Api) -> None:
    answer = save(api, ADA, weekly_news="unsubscribed", unheard_of="unsubscribed")
    assert_problem(answer, 404, "unknown-topic")
    assert site.unsubscribed() == []


def test_a_stopped_topic_is_started_by_the_emailed_link_alone(site: Site, api: Api) -> None:
    unsubscribe(site)
    answer = save(api, ADA, weekly_news="subscribed")
    assert answer.status_code == 200
    assert answer.json["outcomes"] == {"weekly-news": "confirmation_sent"}
    assert answer.json["subscriber"]["topics"]["weekly-news"]["received"] is False
    (email,) = site.emails()
    page = site.page(path_in(email, "/c/"))
    site.press(page, page.buttons[0])
    assert site.subscriptions()["weekly-news"][0] == "subscribed"


def test_after_a_complaint_nothing_starts_and_the_rest_is_applied(site: Site, api: Api) -> None:
    site.add_topic("offers")
    unsubscribe(site, source=Source.COMPLAINT)
    answer = save(api, ADA, offers="subscribed", product_news="unsubscribed")
    assert faults(answer) == ["/topics/offers"]
    assert site.subscriptions()["product-news"][0] == "unsubscribed"
    assert "offers" not in site.subscriptions()
    assert faults(put(api)) == ["/status"]
    assert site.emails() == []


def test_a_refused_write_can_be_made_again_with_its_key(site: Site, api: Api) -> None:
    unsubscribe(site, source=Source.COMPLAINT)
    body, headers = {"status": "subscribed", **STATEMENT}, {"Idempotency-Key": "order-17"}
    for _ in range(2):
        answer = api.put(NEWS, json=body, headers=headers)
        assert faults(answer) == ["/status"]
        assert "Idempotency-Replayed" not in answer.headers


def test_nothing_by_api_ends_a_suppression(site: Site, api: Api) -> None:
    for scope in ("all", "address"):
        unsubscribe(site, slug=None, scope=scope)
    before = site.subscriber()
    assert faults(put(api)) == ["/status"]
    assert site.subscriber() == before


def test_without_smtp_a_stopped_topic_does_not_start(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe()
    unsubscribe(site)
    assert faults(put(Api(site))) == ["/status"]


def test_a_topic_is_set(site: Site, api: Api) -> None:
    answer = put(api, frequency="monthly", pause="1-month")
    assert answer.status_code == 200
    news = answer.json["subscriber"]["topics"]["weekly-news"]
    assert (news["frequency"], news["paused_until"]) == ("monthly", "2026-12-22T00:00:00Z")
    assert put(api).json["outcomes"] == {"weekly-news": "unchanged"}
    news = put(api, frequency="every", pause="none").json["subscriber"]["topics"]["weekly-news"]
    assert (news["frequency"], news["paused_until"]) == ("every", None)
    assert put(api, "unsubscribed", pause="1-month").json["outcomes"] == {"weekly-news": "changed"}
    assert site.subscriptions()["weekly-news"] == ("unsubscribed", "every", None)
    assert site.emails() == []


def test_what_the_subscriber_has_reduced_stays_reduced(site: Site, api: Api) -> None:
    with site.database.transaction() as session:
        make.reduce(session, Frequency.MONTHLY)
    assert faults(put(api, frequency="every")) == ["/status"]
    assert site.subscriptions()["weekly-news"][1] == "monthly"


def test_a_topic_of_an_unknown_subscriber_can_only_be_stopped(site: Site, api: Api) -> None:
    path = f"/subscribers/{make.id_of(EVE)}/topics/weekly-news"
    assert_problem(put(api, path=path), 404, "unknown-subscriber")
    assert site.subscriber(EVE) is None
    assert put(api, "unsubscribed", path).status_code == 200
    assert site.events(EVE) == [("unsubscribed", "weekly-news")]


@pytest.mark.parametrize("path", ["unheard-of", "No Slug", "a%2Fb", "ä"])
def test_an_unknown_topic_cannot_be_set(api: Api, path: str) -> None:
    answer = put(api, path=f"/subscribers/{make.id_of()}/topics/{path}")
    assert answer.status_code == 404


@pytest.mark.parametrize("version", ['"1"', '"3"', '"x"', 'W/"2"', "?", '"٢"'])
def test_another_version_is_not_changed(site: Site, api: Api, version: str) -> None:
    assert_problem(put(api, "unsubscribed", if_match=version), 412, "precondition-failed")
    assert site.unsubscribed() == []


@pytest.mark.parametrize("version", ['"2"', '"9", "2"', "*", ""])
def test_the_version_that_was_read_is_changed(site: Site, api: Api, version: str) -> None:
    assert put(api, "unsubscribed", if_match=version).status_code == 200
    assert site.unsubscribed() == ["weekly-news"]


def test_an_erased_subscriber_is_shown_without_data(site: Site, api: Api) -> None:
    assert api.post(f"/subscribers/{make.id_of()}/erase").status_code == 200
    found = api.get(f"/subscribers/{make.id_of()}").json
    assert (found["email"], found["locale"], found["topics"]) == (None, None, {})
    assert found["erased_at"] == "2026-11-22T14:05:00Z"
    assert faults(save(api, ADA, weekly_news="subscribed")) == ["/topics/weekly-news"]
    assert site.get(confirm()).status_code == 200
    assert site.emails() == []
