"""The preferences page: topics, caps, pauses and language, all saved at once."""

from datetime import timedelta

import pytest

from preference_center.core import topics
from preference_center.core.vocab import Pause
from tests.support import make
from tests.support.page import Page
from tests.support.site import Site, link, receipt
from tests.support.web_fixtures import SiteMaker

ALL = "Unsubscribe from all Northwind Letters emails"
PREFERENCES = link("preferences")
PAUSE_ALL = "Pause all emails"
ADA = "ada@example.org"
EVERY = ("subscribed", "every", None)


def test_the_page_shows_every_public_topic_and_its_frequency(center: Site) -> None:
    with center.database.transaction() as session:
        topics.describe(topics.get(session, "weekly-news"), "en", "Weekly news", "What happened.")
    page = center.page(PREFERENCES)
    assert page.heading == "Your email preferences"
    assert "For a•••@example.org" in page.text
    assert ADA not in page.html
    assert page.buttons == [ALL, "Save", PAUSE_ALL]
    assert page.chosen == ["Product news", "Weekly news"]
    assert "Town letter" in page.labels
    assert "What happened." in page.text
    assert "private" not in page.text
    assert page.options("often-weekly-news") == {
        "Every email": True,
        "At most once a week": False,
        "At most once a month": False,
    }


def test_only_caps_below_the_topics_cadence_are_offered(center: Site) -> None:
    for slug, cadence in (("a-weekly", "weekly"), ("a-monthly", "monthly")):
        with center.database.transaction() as session:
            make.topic(session, slug, cadence=cadence)
            make.subscriber(session, ADA, slug)
    page = center.page(PREFERENCES)
    assert list(page.options("often-a-weekly")) == ["Every email", "At most once a month"]
    assert 'name="often-a-monthly"' not in page.html


def test_a_private_topic_is_shown_only_to_its_subscribers(center: Site) -> None:
    center.add_topic("partners", public=False)
    assert "Partners" not in center.page(PREFERENCES).labels
    with center.database.transaction() as session:
        make.subscriber(session, ADA, "partners")
    page = center.page(PREFERENCES)
    assert "Partners" in page.chosen
    page.untick("Partners")
    center.press_and_follow(page, "Save")
    assert "Partners" not in center.page(PREFERENCES).labels


def test_a_cap_is_saved_and_shown(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("often-weekly-news", "At most once a month")
    shown = center.press_and_follow(page, "Save")
    assert shown.heading == "Your email preferences"
    assert "Saved. Weekly news: at most once a month (was: every email)" in shown.text
    assert shown.options("often-weekly-news")["At most once a month"]
    assert center.subscriptions()["weekly-news"] == ("subscribed", "monthly", None)
    assert center.events()[-1] == ("reduced", "weekly-news")


def test_a_cap_is_lifted(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("often-weekly-news", "At most once a month")
    shown = center.press_and_follow(page, "Save")
    shown.select("often-weekly-news", "Every email")
    assert (
        "Weekly news: every email (was: at most once a month)"
        in center.press_and_follow(shown, "Save").text
    )
    assert center.subscriptions()["weekly-news"] == EVERY
    assert center.events()[-1] == ("increased", "weekly-news")


def test_unticking_a_topic_unsubscribes(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    shown = center.press_and_follow(page, "Save")
    assert "Saved. Weekly news: no emails" in shown.text
    assert shown.chosen == ["Product news"]
    assert center.unsubscribed() == ["weekly-news"]
    assert "2026-47" in str(center.rows()["ledger"])


def test_a_pause_is_shown_and_ended(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.ONE_MONTH)
    page = center.page(PREFERENCES)
    assert "Paused until 22 December 2026" in page.text
    page.tick("Weekly news Resume now")
    shown = center.press_and_follow(page, "Save")
    assert "Weekly news: started again" in shown.text
    assert "Paused until" not in shown.text
    assert center.subscriptions()["weekly-news"] == EVERY
    assert center.events()[-1] == ("resumed", "weekly-news")


def test_a_pause_that_is_over_is_no_longer_shown(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.TWO_WEEKS)
    center.now += timedelta(days=14)
    assert "Weekly news Resume now" not in center.page(PREFERENCES).labels


def test_resuming_and_a_new_cap_are_both_shown(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.ONE_MONTH)
    page = center.page(PREFERENCES)
    page.tick("Weekly news Resume now")
    page.select("often-weekly-news", "At most once a week")
    shown = center.press_and_follow(page, "Save")
    assert center.subscriptions()["weekly-news"] == ("subscribed", "weekly", None)
    assert "Weekly news: started again" in shown.text
    assert "Weekly news: at most once a week (was: every email)" in shown.text


def test_several_changes_at_once_have_one_undo(center: Site) -> None:
    before = center.subscriptions()
    page = center.page(PREFERENCES)
    page.select("often-product-news", "At most once a week")
    page.untick("Weekly news")
    shown = center.press_and_follow(page, "Save")
    for text in (
        "Product news: at most once a week (was: every email)",
        "Weekly news: no emails",
    ):
        assert text in shown.text
    undone = center.press_and_follow(shown, "Undo")
    assert undone.heading == "Everything is as it was"
    assert center.subscriptions() == before


def test_saved_changes_are_shown_until_a_newer_change(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    path = center.press(page, "Save").location
    assert center.page(path).text == center.page(path).text
    center.press(center.page(path), "Undo")
    assert "Saved" not in center.page(path).text
    assert "Nothing has changed" not in center.page(path).text
    assert "Undo" not in center.page(path).buttons


def test_another_subscribers_changes_are_not_shown(center: Site) -> None:
    with center.database.transaction() as session:
        make.subscriber(session, "bob@example.org", "weekly-news")
        change = make.unsubscribe(session, "bob@example.org")
    theirs = receipt(change.first_seq, change.last_seq, "bob@example.org").removeprefix("/r/")
    for address in (theirs, "x", f"{theirs}x"):
        page = center.page(f"{PREFERENCES}?saved={address}")
        assert "Saved" not in page.text
        assert "Undo" not in page.buttons


@pytest.mark.parametrize("languages", [("en",), ("en", "de", "ar")])
def test_saving_without_a_change_changes_nothing(
    site_with: SiteMaker, languages: tuple[str, ...]
) -> None:
    site = site_with(languages=languages)
    site.subscribe(ADA)
    events = site.events()
    shown = site.press_and_follow(site.page(PREFERENCES), "Save")
    assert "Nothing has changed." in shown.text
    assert "Saved" not in shown.text
    assert site.events() == events
    assert site.rows()["outbox"] == []


def test_changes_are_confirmed_in_one_email(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("often-product-news", "At most once a week")
    page.untick("Weekly news")
    center.press_and_follow(page, "Save")
    center.now += timedelta(minutes=2)
    (message,) = center.emails()
    assert message["Subject"] == "Your email preferences have changed"


# The language.


def test_the_chosen_language_is_used_for_pages_and_emails(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("language", "Deutsch")
    shown = center.press_and_follow(page, "Save")
    assert shown.lang == ("de", "ltr")
    assert center.locale() == "de"
    assert center.page(link(), headers={"Accept-Language": "ar"}).lang == ("de", "ltr")
    center.post(link())
    center.now += timedelta(minutes=2)
    (message,) = center.emails()
    assert message["Content-Language"] == "de"


def test_a_change_of_only_the_language_is_shown_as_saved(center: Site) -> None:
    with center.database.transaction() as session:
        make.set_details(session, ADA, locale="de")
    page = center.page(PREFERENCES)
    page.select("language", "English")
    (button,) = [each for each in page.buttons if each not in {page.buttons[0], page.buttons[-1]}]
    shown = center.press_and_follow(page, button)
    assert shown.lang == ("en", "ltr")
    assert "Saved." in shown.text
    assert "Nothing has changed" not in shown.text


def test_the_language_in_the_form_precedes_the_switch(center: Site) -> None:
    page = center.page(f"{PREFERENCES}?lang=de")
    page.select("language", "العربية")
    (_, save, _) = page.buttons
    assert center.press_and_follow(page, save).lang == ("ar", "rtl")
    assert center.locale() == "ar"


def test_saving_a_page_in_a_switched_language_saves_that_language(center: Site) -> None:
    page = center.page(f"{PREFERENCES}?lang=de")
    (_, save, _) = page.buttons
    assert center.press_and_follow(page, save).lang == ("de", "ltr")
    assert center.locale() == "de"


@pytest.mark.parametrize("language", ["", "xx", "fr", "en\n", "../de", "de" * 40])
def test_an_unknown_language_is_not_saved(center: Site, language: str) -> None:
    path, data = center.page(PREFERENCES).form_of("Save")
    answer = center.post(f"{path}?lang=de", data=data | {"language": language})
    assert center.page(answer.location).lang == ("de", "ltr")
    assert center.locale() in {None, "de"}


@pytest.mark.parametrize(
    ("length", "date"),
    [("2 weeks", "6 December 2026"), ("1 month", "22 December 2026"), ("3 months", "22 February")],
)
def test_pause_all_pauses_every_topic_received(center: Site, length: str, date: str) -> None:
    before = center.subscriptions()
    page = center.page(PREFERENCES)
    page.choose(length)
    shown = center.press_and_follow(page, PAUSE_ALL)
    assert shown.heading.startswith(f"Your emails are paused until {date}")
    assert "They start again by themselves that day." in shown.text
    assert [each[2] is not None for each in center.subscriptions().values()] == [True, True]
    assert shown.buttons == ["Undo"]
    assert center.press_and_follow(shown, "Undo").heading == "Everything is as it was"
    assert center.subscriptions() == before


def test_pause_all_does_not_shorten_a_longer_pause(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.THREE_MONTHS)
    page = center.page(PREFERENCES)
    page.choose("2 weeks")
    shown = center.press_and_follow(page, PAUSE_ALL)
    assert shown.heading == "Product news is paused until 6 December 2026"
    assert "Weekly news (paused until 22 February 2027)" in shown.text


def test_pause_all_changes_nothing_if_all_is_paused_for_longer(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.choose("3 months")
    center.press(page, PAUSE_ALL)
    before = center.events()
    page.choose("2 weeks")
    assert "Nothing has changed." in center.press_and_follow(page, PAUSE_ALL).text
    assert center.events() == before


def test_pause_all_without_a_length_is_an_error_linked_to_the_choice(center: Site) -> None:
    before = center.rows()
    page = Page(center.press(center.page(PREFERENCES), PAUSE_ALL, 400), 400)
    assert page.title == "Error: Your email preferences – Northwind Letters"
    assert page.links["Choose how long to pause."] == f"#{page.field('2 weeks').get('id')}"
    assert center.rows() == before


def test_without_topics_received_there_is_nothing_to_pause(center: Site) -> None:
    page = center.page(PREFERENCES)
    for topic in ("Weekly news", "Product news"):
        page.untick(topic)
    shown = center.press_and_follow(page, "Save")
    assert PAUSE_ALL not in shown.buttons
    page.choose("2 weeks")
    before = center.events()
    assert "Nothing has changed." in center.press_and_follow(page, PAUSE_ALL).text
    assert Page(center.post(f"{PREFERENCES}/pause"), 400).title.startswith("Error: ")
    assert center.events() == before


def test_the_page_can_unsubscribe_from_all(center: Site) -> None:
    receipt_page = center.press_and_follow(center.page(PREFERENCES), ALL)
    assert receipt_page.heading == "You’re unsubscribed from all Northwind Letters emails"
    assert center.unsubscribed() == ["all"]


def test_an_unknown_recipient_can_unsubscribe_from_all(center: Site) -> None:
    center.press(center.page(link("preferences", "new@example.org")), ALL)
    assert center.unsubscribed("new@example.org") == ["all"]


def test_without_topics_unsubscribing_from_all_works(site_with: SiteMaker) -> None:
    site = site_with()
    page = site.page(PREFERENCES)
    assert "There are no topics to choose from." in page.text
    assert page.buttons == [ALL]
    site.press(page, ALL)
    assert site.unsubscribed() == ["all"]


@pytest.mark.parametrize(
    "data", [{}, {"scope": "topic", "topic": "no-such-topic"}, {"scope": "address"}]
)
def test_a_form_without_a_button_changes_nothing(center: Site, data: dict[str, str]) -> None:
    before = center.rows()
    page = Page(center.post(f"{PREFERENCES}/leave", data=data), 400)
    assert page.title.startswith("Error: ")
    assert center.rows() == before
