"""What a reason leads to: each offer is made once, and only if one press can keep it."""

from datetime import timedelta

import pytest

from tests.support import make
from tests.support.page import Page
from tests.support.site import ALL, THIS, Site, link
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

QUESTION = "Would you tell us why? (optional)"
MONTHLY = "Get Product news at most once a month"
UNDO_FIRST = "Would fewer emails suit you better? Undo this first"
SORRY = "We’re sorry. Someone may have typed your address by mistake."
STOP = "We can stop everything:"


def answer(site: Site, reason: str, button: str = THIS, path: str = "") -> tuple[str, Page]:
    """Unsubscribe and give a reason; return the path of the receipt and its page."""
    location = site.press(site.page(path or link()), button).location
    return location, site.press_and_follow(site.page(location), reason)


def test_too_many_emails_offers_less_of_what_remains_once(site: Site) -> None:
    site.add_topic("quizzes")
    with site.database.transaction() as session:
        make.subscriber(session, "eve@example.org", "weekly-news", "product-news", "quizzes")
    path, page = answer(site, "Too many emails", path=link(email="eve@example.org"))
    assert page.buttons[:2] == ["Undo", MONTHLY]
    capped = site.press_and_follow(page, MONTHLY)
    assert capped.heading == "You’ll get Product news at most once a month"
    assert capped.buttons == ["Undo", "Unsubscribe from Product news"]
    eve = site.subscriptions("eve@example.org")
    assert eve["product-news"] == ("subscribed", "monthly", None)
    assert eve["quizzes"] == ("subscribed", "every", None)
    again = site.page(path)
    assert again.heading == "You’re unsubscribed from Weekly news"
    assert "once a month" not in " ".join(again.buttons)


def test_the_topic_that_is_sent_most_often_is_offered(site: Site) -> None:
    with site.database.transaction() as session:
        for slug, cadence in (("a", "monthly"), ("b", "weekly"), ("c", "irregular")):
            make.topic(session, slug, cadence=cadence)
        make.subscriber(session, "eve@example.org", "weekly-news", "a", "b", "c")
    _, page = answer(site, "Too many emails", path=link(email="eve@example.org"))
    assert page.buttons[1] == "Get C at most once a month"


@pytest.mark.parametrize("cadence", ["monthly", "weekly"])
def test_no_cap_is_offered_that_the_cadence_rules_out(site: Site, cadence: str) -> None:
    with site.database.transaction() as session:
        make.topic(session, "b", cadence=cadence)
        make.subscriber(session, "eve@example.org", "weekly-news", "b")
    _, page = answer(site, "Too many emails", path=link(email="eve@example.org"))
    assert ("Get B at most once a month" in page.buttons) is (cadence == "weekly")
    assert UNDO_FIRST not in page.text


def test_after_leaving_everything_fewer_emails_begin_with_undo(site: Site) -> None:
    _, page = answer(site, "Too many emails", ALL)
    assert page.buttons == ["Undo", "Send"]
    assert UNDO_FIRST in page.text
    assert site.page(page.links["Undo this"]).heading == "Undo your change?"
    site.now += timedelta(days=31)
    assert UNDO_FIRST not in site.page(page.links["Undo this"].removesuffix("/undo")).text


def test_an_offer_that_is_out_of_date_changes_nothing(site: Site) -> None:
    path, page = answer(site, "Too many emails")
    site.press(site.page(link(topic="product-news")), "Unsubscribe from Product news")
    before = site.rows()
    assert site.press(page, MONTHLY).location == path
    for data in ({}, {"topic": "no-such-topic"}, {"topic": "Product news"}):
        assert site.post(f"{path}/less", data=data).location == path
    assert site.rows() == before


def test_a_cap_is_never_loosened(site: Site) -> None:
    path, _ = answer(site, "Too many emails")
    site.post(f"{link(topic='product-news')}/less", data={"choice": "monthly"})
    before = site.rows()
    assert site.post(f"{path}/less", data={"topic": "product-news"}).location == path
    assert site.rows() == before


@pytest.mark.parametrize("sign_up_url", ["", "https://example.org/join"])
@pytest.mark.parametrize("contact", ["", "help@example.org"])
def test_a_changed_address_leads_to_a_sign_up_with_the_new_one(
    site_with: SiteMaker, sign_up_url: str, contact: str
) -> None:
    site = site_with(sign_up_url=sign_up_url, contact=contact, smtp_url=None)
    site.subscribe()
    _, page = answer(site, "I’ve changed my email address")
    by_contact = "To get our emails at your new address, write to help@example.org."
    assert page.links.get("Sign up with your new address", "") == sign_up_url
    assert (by_contact in page.text) is (not sign_up_url and contact != "")
    unknown = "We don’t know your new address." in page.text
    assert unknown is (not sign_up_url and not contact)


def test_a_changed_address_leads_to_our_own_page_by_default(site: Site) -> None:
    _, page = answer(site, "I’ve changed my email address")
    own = page.links["Sign up with your new address"]
    assert own == "https://mail.example.org/sign-up"
    assert site.page("/sign-up").buttons[0] == "Sign up"


def test_who_never_signed_up_gets_an_apology_and_can_stop_everything(site: Site) -> None:
    path, page = answer(site, "I never signed up")
    assert f"{SORRY} {STOP} {ALL}" in page.text
    left = site.press_and_follow(page, ALL)
    assert left.heading == "You’re unsubscribed from everything"
    assert site.unsubscribed() == ["weekly-news", "all"]
    assert STOP not in site.page(path).text


@pytest.mark.parametrize(
    ("email", "button", "offered"),
    [
        ("ada@example.org", ALL, False),
        ("one-topic@example.org", THIS, False),
        ("not-on-record@example.org", THIS, True),  # What else the sender sends is not known.
    ],
)
def test_stopping_everything_is_offered_where_something_may_still_come(
    site: Site, email: str, button: str, offered: bool
) -> None:
    with site.database.transaction() as session:
        make.subscriber(session, "one-topic@example.org", "weekly-news")
    _, page = answer(site, "I never signed up", button, link(email=email))
    assert SORRY in page.text
    assert (STOP in page.text) is offered


def test_other_reasons_are_answered_without_an_offer(site: Site) -> None:
    _, page = answer(site, "No longer interested")
    assert page.buttons == ["Undo", "Send"]
    assert "sorry" not in page.text


def test_nobody_is_asked_twice_in_one_visit(site: Site) -> None:
    _, page = answer(site, "I never signed up")
    site.now += timedelta(minutes=59)
    assert QUESTION not in site.press_and_follow(page, ALL).text
    site.now += timedelta(minutes=5)
    assert "tell us why" not in site.emails()[-1].as_string()


def test_a_later_unsubscribe_is_asked_about_again(site: Site) -> None:
    answer(site, "Too many emails")
    site.now += timedelta(hours=1)
    other = link(topic="product-news")
    assert QUESTION in site.press_and_follow(site.page(other), "Unsubscribe from Product news").text


def test_a_reason_for_a_later_unsubscribe_does_not_answer_for_an_earlier_one(site: Site) -> None:
    first = site.press(site.page(link()), THIS).location
    site.now += timedelta(minutes=1)
    other = site.page(link(topic="product-news"))
    second = site.press_and_follow(other, "Unsubscribe from Product news")
    site.press(second, "Too many emails")
    assert QUESTION in site.page(first).text
