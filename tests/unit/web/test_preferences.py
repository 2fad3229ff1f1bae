"""Screen F: every topic on one page: caps, pauses, the language, all saved at once."""

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
BREAK = "Pause all emails"
ADA = "ada@example.org"
EVERY = ("subscribed", "every", None)


def test_the_page_shows_every_public_topic_and_what_comes_of_it(center: Site) -> None:
    with center.database.transaction() as session:
        topics.describe(topics.get(session, "weekly-news"), "en", "Weekly news", "What happened.")
    page = center.page(PREFERENCES)
    assert page.heading == "Your email preferences"
    assert "For a•••@example.org" in page.text
    assert ADA not in page.html
    assert page.buttons == [ALL, "Save", BREAK]
    assert page.chosen == ["Product news", "Weekly news"]
    assert "Town letter" in page.labels
    assert "What happened." in page.text
    assert "private" not in page.text
    assert page.options("often-weekly-news") == {
        "Every email": True,
        "At most once a week": False,
        "At most once a month": False,
    }


def test_only_caps_below_the_topics_own_cadence_are_offered(center: Site) -> None:
    for slug, cadence in (("a-weekly", "weekly"), ("a-monthly", "monthly")):
        with center.database.transaction() as session:
            make.topic(session, slug, cadence=cadence)
            make.subscriber(session, ADA, slug)
    page = center.page(PREFERENCES)
    assert list(page.options("often-a-weekly")) == ["Every email", "At most once a month"]
    assert 'name="often-a-monthly"' not in page.html


def test_a_private_topic_is_shown_to_who_gets_it_alone(center: Site) -> None:
    center.add_topic("partners", public=False)
    assert "Partners" not in center.page(PREFERENCES).labels
    with center.database.transaction() as session:
        make.subscriber(session, ADA, "partners")
    page = center.page(PREFERENCES)
    assert "Partners" in page.chosen
    page.untick("Partners")
    center.press_and_follow(page, "Save")
    assert "Partners" not in center.page(PREFERENCES).labels


def test_a_cap_is_saved_and_told(center: Site) -> None:
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


def test_unticking_a_topic_leaves_it(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    shown = center.press_and_follow(page, "Save")
    assert "Saved. Weekly news: no emails" in shown.text
    assert shown.chosen == ["Product news"]
    assert center.stops() == ["weekly-news"]
    assert "2026-47" in str(center.rows()["ledger"])


def test_a_pause_is_shown_and_ended(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.ONE_MONTH)
    page = center.page(PREFERENCES)
    assert "Paused until 22 December 2026" in page.text
    page.tick("Resume now")
    shown = center.press_and_follow(page, "Save")
    assert "Weekly news: started again" in shown.text
    assert "Paused until" not in shown.text
    assert center.subscriptions()["weekly-news"] == EVERY
    assert center.events()[-1] == ("resumed", "weekly-news")


def test_a_pause_that_is_over_is_no_longer_shown(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.TWO_WEEKS)
    center.now += timedelta(days=14)
    assert "Resume now" not in center.page(PREFERENCES).labels


def test_resuming_and_a_new_cap_are_both_told(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.ONE_MONTH)
    page = center.page(PREFERENCES)
    page.tick("Resume now")
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
    for told in (
        "Product news: at most once a week (was: every email)",
        "Weekly news: no emails",
    ):
        assert told in shown.text
    undone = center.press_and_follow(shown, "Undo")
    assert undone.heading == "Everything is as it was"
    assert center.subscriptions() == before


def test_what_was_saved_is_told_until_something_newer_is(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    path = center.press(page, "Save").location
    assert center.page(path).text == center.page(path).text
    center.press(center.page(path), "Undo")
    assert "Saved" not in center.page(path).text
    assert "Nothing has changed" not in center.page(path).text
    assert "Undo" not in center.page(path).buttons


def test_nobody_is_told_what_another_saved(center: Site) -> None:
    with center.database.transaction() as session:
        make.subscriber(session, "bob@example.org", "weekly-news")
        stop = make.unsubscribe(session, "bob@example.org")
    theirs = receipt(stop.first_seq, stop.last_seq, "bob@example.org").removeprefix("/r/")
    for address in (theirs, "x", f"{theirs}x"):
        page = center.page(f"{PREFERENCES}?saved={address}")
        assert "Saved" not in page.text
        assert "Undo" not in page.buttons


@pytest.mark.parametrize("languages", [("en",), ("en", "de", "ar")])
def test_saving_what_is_so_already_changes_nothing(
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


def test_changes_are_confirmed_in_one_mail(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("often-product-news", "At most once a week")
    page.untick("Weekly news")
    center.press_and_follow(page, "Save")
    center.now += timedelta(minutes=2)
    (mail,) = center.emails()
    assert mail["Subject"] == "Your email preferences have changed"


# The language.


def test_the_language_that_is_chosen_is_kept_for_pages_and_mails(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("language", "Deutsch")
    shown = center.press_and_follow(page, "Save")
    assert shown.lang == ("de", "ltr")
    assert center.locale() == "de"
    assert center.page(link(), headers={"Accept-Language": "ar"}).lang == ("de", "ltr")
    center.post(link())
    center.now += timedelta(minutes=2)
    (mail,) = center.emails()
    assert mail["Content-Language"] == "de"


def test_a_change_of_language_alone_is_told_as_saved(center: Site) -> None:
    with center.database.transaction() as session:
        make.subscriber(session, ADA).locale = "de"
    page = center.page(PREFERENCES)
    page.select("language", "English")
    (button,) = [each for each in page.buttons if each not in {page.buttons[0], page.buttons[-1]}]
    shown = center.press_and_follow(page, button)
    assert shown.lang == ("en", "ltr")
    assert "Saved." in shown.text
    assert "Nothing has changed" not in shown.text


def test_what_is_chosen_in_the_form_beats_the_switch(center: Site) -> None:
    page = center.page(f"{PREFERENCES}?lang=de")
    page.select("language", "العربية")
    (_, save, _) = page.buttons
    assert center.press_and_follow(page, save).lang == ("ar", "rtl")
    assert center.locale() == "ar"


def test_a_page_read_in_another_language_by_the_switch_is_saved_so(center: Site) -> None:
    page = center.page(f"{PREFERENCES}?lang=de")
    (_, save, _) = page.buttons
    assert center.press_and_follow(page, save).lang == ("de", "ltr")
    assert center.locale() == "de"


@pytest.mark.parametrize("language", ["", "xx", "fr", "en\n", "../de", "de" * 40])
def test_no_other_language_is_kept(center: Site, language: str) -> None:
    path, data = center.page(PREFERENCES).form_of("Save")
    answer = center.post(f"{path}?lang=de", data=data | {"language": language})
    assert center.page(answer.location).lang == ("de", "ltr")
    assert center.locale() in {None, "de"}


@pytest.mark.parametrize(
    ("length", "date"),
    [("2 weeks", "6 December 2026"), ("1 month", "22 December 2026"), ("3 months", "22 February")],
)
def test_a_break_pauses_every_topic_that_comes(center: Site, length: str, date: str) -> None:
    before = center.subscriptions()
    page = center.page(PREFERENCES)
    page.choose(length)
    shown = center.press_and_follow(page, BREAK)
    assert shown.heading.startswith(f"Your emails are paused until {date}")
    assert "They start again by themselves that day." in shown.text
    assert [each[2] is not None for each in center.subscriptions().values()] == [True, True]
    assert shown.buttons == ["Undo"]
    assert center.press_and_follow(shown, "Undo").heading == "Everything is as it was"
    assert center.subscriptions() == before


def test_a_break_cuts_no_longer_pause_short(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.THREE_MONTHS)
    page = center.page(PREFERENCES)
    page.choose("2 weeks")
    shown = center.press_and_follow(page, BREAK)
    assert shown.heading == "Product news is paused until 6 December 2026"
    assert "Weekly news (paused until 22 February 2027)" in shown.text


def test_a_break_when_all_is_paused_for_longer_changes_nothing(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.choose("3 months")
    center.press(page, BREAK)
    before = center.events()
    page.choose("2 weeks")
    assert "Nothing has changed." in center.press_and_follow(page, BREAK).text
    assert center.events() == before


def test_a_break_of_no_length_is_an_error_that_leads_to_the_choice(center: Site) -> None:
    before = center.rows()
    page = Page(center.press(center.page(PREFERENCES), BREAK, 400), 400)
    assert page.title == "Error: Your email preferences – Northwind Letters"
    assert page.links["Choose how long to pause."] == f"#{page.field('2 weeks').get('id')}"
    assert center.rows() == before


def test_who_gets_nothing_has_nothing_to_pause(center: Site) -> None:
    page = center.page(PREFERENCES)
    for topic in ("Weekly news", "Product news"):
        page.untick(topic)
    shown = center.press_and_follow(page, "Save")
    assert BREAK not in shown.buttons
    page.choose("2 weeks")
    before = center.events()
    assert "Nothing has changed." in center.press_and_follow(page, BREAK).text
    assert Page(center.post(f"{PREFERENCES}/pause"), 400).title.startswith("Error: ")
    assert center.events() == before


def test_everything_can_be_left(center: Site) -> None:
    goodbye = center.press_and_follow(center.page(PREFERENCES), ALL)
    assert goodbye.heading == "You’re unsubscribed from all Northwind Letters emails"
    assert center.stops() == ["all"]


def test_somebody_unknown_can_leave_everything(center: Site) -> None:
    center.press(center.page(link("preferences", "new@example.org")), ALL)
    assert center.stops("new@example.org") == ["all"]


def test_without_topics_everything_can_still_be_left(site_with: SiteMaker) -> None:
    site = site_with()
    page = site.page(PREFERENCES)
    assert "There are no topics to choose from." in page.text
    assert page.buttons == [ALL]
    site.press(page, ALL)
    assert site.stops() == ["all"]


@pytest.mark.parametrize(
    "data", [{}, {"scope": "topic", "topic": "no-such-topic"}, {"scope": "address"}]
)
def test_a_press_of_no_button_leaves_nothing(center: Site, data: dict[str, str]) -> None:
    before = center.rows()
    page = Page(center.post(f"{PREFERENCES}/leave", data=data), 400)
    assert page.title.startswith("Error: ")
    assert center.rows() == before
