"""The unsubscribe page: one press unsubscribes; and the other states of the page (P1, P2)."""

import pytest

from preference_center.core import topics
from preference_center.core.vocab import Scope
from tests.support import make
from tests.support.page import Page
from tests.support.site import ALL, THIS, Site, link
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

FEWER = "Do this instead"
NOTHING_COMES = "You won’t get any more newsletters from us."
FORWARDED = "Not your address? This email was probably forwarded. You can close this page."


def test_the_page_offers_to_unsubscribe_from_the_topic_and_from_all(site: Site) -> None:
    page = site.page(link())
    assert page.heading == THIS
    assert page.buttons == [THIS, ALL, FEWER]
    assert f"{THIS} You still get Product news {ALL} No more newsletters from us" in page.text
    assert "For a•••@example.org" in page.text
    assert "ada@example.org" not in page.html
    assert FORWARDED in page.text


def test_one_press_unsubscribes_from_the_topic(site: Site) -> None:
    receipt = site.press_and_follow(site.page(link()), THIS)
    assert receipt.heading == "You’re unsubscribed from Weekly news"
    assert site.unsubscribed() == ["weekly-news"]


def test_one_press_unsubscribes_from_all(site: Site) -> None:
    receipt = site.press_and_follow(site.page(link()), ALL)
    assert receipt.heading == "You’re unsubscribed from everything"
    assert site.unsubscribed() == ["all"]


def test_the_ledger_records_the_page_and_the_campaign(site: Site) -> None:
    site.press(site.page(link()), THIS)
    (row,) = [row for row in site.rows()["ledger"] if "unsubscribed" in row]
    assert {"page", "2026-47", "weekly-news"} <= set(map(str, row))


def test_pressing_twice_makes_one_unsubscribe_and_one_email(site: Site) -> None:
    page = site.page(link())
    first, second = site.press(page, THIS), site.press(page, THIS)
    assert first.location.startswith("/r/")
    assert second.location == link()
    assert site.unsubscribed() == ["weekly-news"]
    assert len(site.rows()["outbox"]) == 1


def test_an_unsubscribed_topic_shows_since_when(site: Site) -> None:
    site.post(link())
    page = site.page(link())
    assert page.heading == "You’re already unsubscribed from Weekly news"
    assert "Since 22 November 2026. You still get: Product news" in page.text
    assert page.buttons == [ALL]
    assert site.press_and_follow(page, ALL).text.startswith("You’re unsubscribed from everything")
    assert site.unsubscribed() == ["weekly-news", "all"]


def test_after_unsubscribing_from_all_the_page_has_no_button(site: Site) -> None:
    site.press(site.page(link()), ALL)
    page = site.page(link())
    assert page.heading == "You’re already unsubscribed from everything"
    assert f"Since 22 November 2026. {NOTHING_COMES}" in page.text
    assert page.buttons == []


def test_an_archived_topic_is_no_longer_sent(site: Site) -> None:
    with site.database.transaction() as session:
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
        make.topic(session, "third")
    page = site.page(link())
    assert page.heading == "We no longer send Weekly news"
    assert "You still get: Product news" in page.text
    assert page.buttons == [ALL]


@pytest.mark.parametrize("archived", [True, False])
def test_where_nothing_comes_any_more_there_is_no_button(
    site_with: SiteMaker, archived: bool
) -> None:
    site = site_with(account_messages=True)
    site.subscribe(topics=("weekly-news",))
    site.add_topic("third")
    if archived:
        site.archive("weekly-news")
    else:
        site.post(link())
    page = site.page(link())
    assert f"{NOTHING_COMES} Receipts and account messages still come." in page.text
    assert page.buttons == []
    before = site.rows()
    empty = Page(site.post(f"{link()}/leave", data={}), 400)
    assert empty.buttons == []
    assert site.rows() == before


def test_an_unsubscribed_address_not_on_file_can_still_leave_everything(site: Site) -> None:
    path = link(email="new@example.org")
    site.post(path)
    page = site.page(path)
    assert page.heading == "You’re already unsubscribed from Weekly news"
    assert "newsletters from us." not in page.text  # unknown
    assert page.buttons == [ALL]


def test_each_button_says_what_still_comes(site: Site) -> None:
    with site.database.transaction() as session:
        make.topic(session, "third")
        make.subscriber(session, "eve@example.org", "weekly-news")
        make.subscriber(session, "max@example.org", "weekly-news", "product-news", "third")
    of_eve, of_max = (site.page(link(email=f"{name}@example.org")) for name in ("eve", "max"))
    assert f"{THIS} Only this topic {ALL}" in of_eve.text
    assert f"{THIS} You still get your other topics {ALL}" in of_max.text
    assert f"{THIS} Only this topic {ALL}" in site.page(link(email="new@example.org")).text


def test_account_messages_that_still_come_are_named(site_with: SiteMaker) -> None:
    site = site_with(account_messages=True)
    site.subscribe()
    assert "Receipts and account messages still come." in site.page(link()).text


def test_an_unknown_recipient_can_unsubscribe_without_a_confirmation(site: Site) -> None:
    page = site.page(link(email="new@example.org"))
    assert "@example.org" not in page.text
    receipt = site.press_and_follow(page, THIS)
    assert (
        "We’ve recorded this. We have no address on file, so we can’t send a confirmation."
        in receipt.text
    )
    assert site.unsubscribed("new@example.org") == ["weekly-news"]


def test_with_a_single_topic_there_is_a_single_button(site_with: SiteMaker) -> None:
    site = site_with()
    site.subscribe(topics=("weekly-news",))
    page = site.page(link())
    assert page.heading == THIS
    assert page.buttons == [THIS, FEWER]
    assert f"{THIS} No more newsletters from us" in page.text
    receipt = site.press_and_follow(page, page.buttons[0])
    assert NOTHING_COMES in receipt.text
    assert site.unsubscribed() == ["all"]


def test_a_private_topic_is_separate_from_a_single_public_one(site_with: SiteMaker) -> None:
    site = site_with()
    site.subscribe(topics=("weekly-news",))
    page = site.page(link(topic="a-private-letter"))
    assert page.buttons == ["Unsubscribe from A private letter", ALL]
    site.press(page, "Unsubscribe from A private letter")
    assert site.unsubscribed() == ["a-private-letter"]


def test_an_unknown_topic_is_named_after_its_slug(site: Site) -> None:
    page = site.page(link(topic="spring-offers"))
    assert page.heading == "Unsubscribe from Spring offers"
    site.press(page, "Unsubscribe from Spring offers")
    assert site.unsubscribed() == ["spring-offers"]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"scope": ""},
        {"scope": "address"},
        {"scope": "topic\n"},
        {"scope": "topic", "topic": "../x"},
        {"topic": "weekly-news"},
    ],
)
def test_a_form_without_a_button_is_an_error_and_changes_nothing(
    site: Site, data: dict[str, str]
) -> None:
    before = site.rows()
    page = Page(site.post(f"{link()}/leave", data=data), 400)
    assert page.title == f"Error: {THIS} – Northwind Letters"
    assert page.text.startswith("There is a problem")
    assert page.buttons == [THIS, ALL, FEWER]
    assert site.rows() == before


@pytest.mark.parametrize("body", ["[1]", "5", "null", '{"scope":"all"}', "{", '"all"'])
def test_a_form_sent_as_json_changes_nothing(site: Site, body: str) -> None:
    before = site.rows()
    for path in (f"{link()}/leave", f"{link('preferences')}/leave"):
        assert site.post(path, data=body, content_type="application/json").status_code == 400
    assert site.rows() == before


def test_a_form_too_long_is_refused(site: Site) -> None:
    before = site.rows()
    assert site.post(f"{link()}/leave", data={"scope": "all" * 30_000}).status_code == 413
    assert site.rows() == before


def test_topic_names_are_escaped(site: Site) -> None:
    hostile = "<script>alert(1)</script>&%(brand)s{{ 7*7 }}"
    with site.database.transaction() as session:
        topics.describe(topics.get(session, "weekly-news"), "en", hostile, "")
    page = site.page(link())
    assert page.heading == f"Unsubscribe from {hostile}"
    assert site.page(link("preferences")).html.count("<script>") == 0
    assert hostile in site.press_and_follow(page, page.buttons[0]).heading


def test_the_page_links_to_the_same_subscribers_preferences(site: Site) -> None:
    (path,) = [path for path in site.page(link()).links.values() if path.startswith("/p/")]
    page = site.page(path)
    assert page.heading == "Your email preferences"
    assert "a•••@example.org" in page.text


def test_a_bounced_subscriber_can_unsubscribe(site: Site) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce")
    page = site.press_and_follow(site.page(link()), ALL)
    assert page.heading == "You’re unsubscribed from everything"
    assert site.unsubscribed() == ["address", "all"]
