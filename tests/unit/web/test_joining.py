"""The preferences page: only an emailed link starts a topic, also after unsubscribing from all."""

from datetime import timedelta
from typing import Any

import pytest

from preference_center.core import erasure
from preference_center.core.vocab import Scope, Source
from tests.support import make
from tests.support.site import ALL, MY_DATA, Site, confirm, link, path_in
from tests.support.web_fixtures import SiteMaker

PREFERENCES = link("preferences")
NOTHING_STARTS = "so no topic can be started, resumed or sent more often on this page."
NO_ADDRESS = f"We have no address on file for you, {NOTHING_STARTS}"
NO_EMAIL = f"We can’t send email from here, {NOTHING_STARTS}"
WAITING = "Waiting for your confirmation: open the link in our email."
CAME_BACK = "Our emails to this address came back, so we stopped sending them."
ADA = "ada@example.org"
EVERY = ("subscribed", "every", None)


def test_starting_a_topic_requires_an_emailed_link(center: Site) -> None:
    center.add_topic("science")
    before = center.subscriptions(), center.events()
    page = center.page(PREFERENCES)
    page.tick("Science")
    shown = center.press_and_follow(page, "Save")
    assert "Check your email to start Science. We’ve sent a link." in shown.text
    assert "Science" not in shown.chosen
    assert (center.subscriptions(), center.events()) == before
    (message,) = center.emails()
    assert message["To"] == ADA
    assert message["Subject"] == "Please confirm: would you like Science?"
    asked = center.page(path_in(message, "/c/"))
    assert (center.subscriptions(), center.events()) == before
    assert center.press_and_follow(asked, "Yes, send me Science").heading == "You’ll get Science"
    assert center.subscriptions()["science"] == EVERY


def test_the_page_shows_saved_and_requested_changes(center: Site) -> None:
    center.add_topic("science")
    page = center.page(PREFERENCES)
    page.tick("Science")
    page.tick("Town letter")
    page.untick("Weekly news")
    shown = center.press_and_follow(page, "Save")
    assert "Weekly news: no emails" in shown.text
    assert "Check your email to start Science." in shown.text
    assert "Check your email to start Town letter." in shown.text


def test_repeated_requests_send_three_emails_a_day(center: Site) -> None:
    center.add_topic("science")
    sent = 0
    for _ in range(6):
        page = center.page(PREFERENCES)
        page.tick("Science")
        assert "Check your email" in center.press_and_follow(page, "Save").text
        sent += len(center.emails())
        center.now += timedelta(hours=1)
    assert sent == 3


def test_without_an_address_nothing_is_started(center: Site) -> None:
    path = link("preferences", "new@example.org")
    page = center.page(path)
    assert NO_ADDRESS in page.text
    assert page.field("Weekly news").get("disabled") is not None
    forged = {"topic": "weekly-news", "was-weekly-news": "off", "on-weekly-news": "on"}
    refused = center.page(center.post(f"{path}/save", data=forged).location)
    assert "We can’t email you, so this stays as it was: Weekly news" in refused.text
    assert "Nothing has changed." in refused.text
    assert center.subscriptions("new@example.org") == {}
    assert center.rows()["outbox"] == []


def test_an_unknown_recipient_can_choose_a_language(center: Site) -> None:
    center.archive("town-letter")
    page = center.page(link("preferences", "new@example.org"))
    page.select("language", "Deutsch")
    assert center.press_and_follow(page, "Save").lang == ("de", "ltr")
    assert center.locale("new@example.org") == "de"


def test_without_choices_there_is_no_save_button(site_with: SiteMaker) -> None:
    site = site_with(languages=("en",))
    site.subscribe(ADA)
    page = site.page(link("preferences", "new@example.org"))
    assert page.buttons == [ALL, MY_DATA]
    assert NO_ADDRESS in page.text


@pytest.mark.parametrize("scope", ["all", "address"])
def test_an_emailed_link_ends_a_bounce_suppression(center: Site, scope: Any) -> None:
    with center.database.transaction() as session:
        make.unsubscribe(session, slug=None, scope=scope, source="bounce")
    page = center.page(PREFERENCES)
    assert CAME_BACK in page.text
    page.tick("Town letter")
    page = center.press_and_follow(page, "Save")
    assert "Check your email to start Town letter." in page.text
    (message,) = center.emails()
    joined = center.press_and_follow(
        center.page(path_in(message, "/c/")), "Yes, send me Town letter"
    )
    assert joined.heading == "You’ll get Town letter"
    statuses = {slug: each[0] for slug, each in center.subscriptions().items()}
    assert statuses.pop("town-letter") == "subscribed"
    assert set(statuses.values()) == {"unsubscribed"}
    assert center.page(PREFERENCES).chosen == ["Town letter"]


def test_without_smtp_no_email_is_promised(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe(ADA)
    with site.database.transaction() as session:
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce")
    page = site.page(PREFERENCES)
    assert CAME_BACK not in page.text
    assert "we’ll" not in page.text.replace("we’ll help", "")
    assert "We can’t send Northwind Letters emails" not in page.text
    assert NO_EMAIL in page.text
    assert page.field("Weekly news").get("disabled") is not None
    assert NO_EMAIL in page.described("Weekly news")
    forged = {"topic": "weekly-news", "was-weekly-news": "off", "on-weekly-news": "on"}
    shown = site.page(site.post(f"{PREFERENCES}/save", data=forged).location)
    assert "We can’t email you, so this stays as it was: Weekly news" in shown.text
    assert site.rows()["outbox"] == []


def test_without_smtp_the_receipt_leads_to_a_page_that_can_undo(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe(ADA)
    before = site.subscriptions()
    receipt_page = site.press_and_follow(site.page(link()), "Unsubscribe from Weekly news")
    (path,) = (each for each in receipt_page.links.values() if each.startswith("/p/"))
    page = site.page(path)
    assert "You can still undo your last change." in page.text
    assert "write to help@example.org" in page.text
    assert "Undo" not in site.page(PREFERENCES).buttons
    site.press(page, "Undo")
    assert site.subscriptions() == before
    assert "Undo" not in site.page(path).buttons


def test_a_page_says_which_topic_waits_for_a_confirmation(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.tick("Town letter")
    center.press(page, "Save")
    assert WAITING in center.page(PREFERENCES).described("Town letter")
    assert WAITING not in center.page(PREFERENCES).described("Weekly news")
    (message,) = center.emails()
    center.now += timedelta(days=6)
    assert WAITING in center.page(PREFERENCES).text
    center.press(center.page(path_in(message, "/c/")), "Yes, send me Town letter")
    assert WAITING not in center.page(PREFERENCES).text


@pytest.mark.parametrize("what", ["expired", "stopped", "undone"])
def test_a_topic_no_longer_waits_for_a_link_that_cannot_start_it(center: Site, what: str) -> None:
    page = center.page(PREFERENCES)
    page.tick("Town letter")
    center.press(page, "Save")
    center.now += timedelta(days=8 if what == "expired" else 1)
    if what == "stopped":
        center.press(center.page(PREFERENCES), ALL)
    elif what == "undone":
        center.archive("town-letter")
    assert WAITING not in center.page(PREFERENCES).text


def test_an_address_suppressed_by_the_sender_starts_nothing(center: Site) -> None:
    with center.database.transaction() as session:
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="import")
    before = center.rows()
    page = center.page(PREFERENCES)
    assert page.chosen == []
    assert page.buttons == [ALL, MY_DATA]
    assert "We can’t send Northwind Letters emails to this address." in page.text
    for slug in ("weekly-news", "town-letter"):
        forged = {"topic": slug, f"was-{slug}": "off", f"on-{slug}": "on"}
        shown = center.page(center.post(f"{PREFERENCES}/save", data=forged).location)
        assert "We can’t email you, so this stays as it was:" in shown.text
    assert center.rows() == before


def test_an_erased_subscriber_starts_nothing_and_changes_no_row(center: Site) -> None:
    with center.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    before = center.rows()
    page = center.page(PREFERENCES)
    assert "You’ve been unsubscribed from everything" in page.text
    assert page.buttons == [MY_DATA]
    for data in (
        {"topic": "town-letter", "was-town-letter": "off", "on-town-letter": "on"},
        {"language": "de"},
    ):
        center.post(f"{PREFERENCES}/save", data=data)
    center.post(f"{PREFERENCES}/save", data={"language": "de", "pause": "2-weeks"})
    assert center.rows() == before


def test_after_unsubscribing_from_all_a_link_starts_one_topic(center: Site) -> None:
    center.press(center.page(PREFERENCES), ALL)
    page = center.page(PREFERENCES)
    assert "You’ve been unsubscribed from everything since 22 November 2026." in page.text
    assert page.chosen == []
    assert ALL not in page.buttons
    assert "Take a break" not in page.text
    page.tick("Weekly news")
    assert "Check your email to start Weekly news." in center.press_and_follow(page, "Save").text
    assert center.events()[-1] == ("unsubscribed", "all")
    (message,) = center.emails()
    joined = center.press_and_follow(
        center.page(path_in(message, "/c/")), "Yes, send me Weekly news"
    )
    assert joined.heading == "You’ll get Weekly news"
    assert "Your topics: Weekly news" in joined.text
    page = center.page(PREFERENCES)
    assert page.chosen == ["Weekly news"]
    assert ("stayed_off", "product-news") in center.events()
    assert center.subscriptions()["product-news"][0] == "unsubscribed"


def test_a_forged_form_cannot_start_a_private_topic(center: Site) -> None:
    center.add_topic("partners", visibility="hidden")
    before = center.rows()
    forged = {"topic": "partners", "was-partners": "off", "on-partners": "on"}
    assert center.post(f"{PREFERENCES}/save", data=forged).status_code == 409
    assert center.rows() == before


def test_a_forged_form_cannot_bypass_the_emailed_link(center: Site) -> None:
    center.add_topic("science")
    forged = {"topic": "science", "was-science": "off", "on-science": "on"}
    for extra in ({"often-science": "weekly"}, {"resume-science": "on"}, {}):
        center.post(f"{PREFERENCES}/save", data=forged | extra)
    assert "science" not in center.subscriptions()
    center.get(confirm("science"))
    assert "science" not in center.subscriptions()
