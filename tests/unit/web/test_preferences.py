"""The preferences page: topics, caps, pauses and language, all saved at once."""

from datetime import timedelta

import pytest

from preference_center.core import topics
from preference_center.core.vocab import Pause
from tests.support import mailer, make
from tests.support.page import Page, words
from tests.support.site import ALL, MY_DATA, Site, link, path_in, receipt
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

PREFERENCES = link("preferences")
RESUME_ALL = "Resume all"
ADA = "ada@example.org"
EVERY = ("subscribed", "every", None)


def test_the_page_shows_every_public_topic_and_its_frequency(center: Site) -> None:
    with center.database.transaction() as session:
        topics.describe(topics.get(session, "weekly-news"), "en", "Weekly news", "What happened.")
    page = center.page(PREFERENCES)
    assert page.heading == "Your email preferences"
    assert "For a•••@example.org" in page.text
    assert ADA not in page.html
    assert page.buttons == [ALL, "Save", MY_DATA]
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
    center.add_topic("partners", visibility="hidden")
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
    assert "Undoing discards choices on this page that you haven’t saved." in shown.text
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


def store_language(site: Site, locale: str) -> None:
    with site.database.transaction() as session:
        make.set_details(session, ADA, locale=locale)


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
    store_language(center, "de")
    page = center.page(PREFERENCES)
    page.select("language", "English")
    shown = center.press_and_follow(page, page.buttons[-2])
    assert shown.lang == ("en", "ltr")
    assert "Saved." in shown.text
    assert shown.title.startswith("Saved – ")
    assert "Nothing has changed" not in shown.text


def test_the_language_in_the_form_precedes_the_switch(center: Site) -> None:
    page = center.page(f"{PREFERENCES}?lang=de")
    page.select("language", "العربية")
    assert center.press_and_follow(page, page.buttons[-2]).lang == ("ar", "rtl")
    assert center.locale() == "ar"


def test_saving_a_page_in_a_switched_language_saves_that_language_if_none_is_stored(
    center: Site,
) -> None:
    page = center.page(f"{PREFERENCES}?lang=de")
    assert page.options("language")["Deutsch"]
    assert center.press_and_follow(page, page.buttons[-2]).lang == ("de", "ltr")
    assert center.locale() == "de"


def test_the_stored_language_is_preselected_and_kept(center: Site) -> None:
    store_language(center, "de")
    page = center.page(f"{PREFERENCES}?lang=en")
    assert page.options("language")["Deutsch"]
    assert "This is the language on record for this address." in page.text
    page.untick("Weekly news")
    assert center.press_and_follow(page, "Save").lang == ("en", "ltr")
    assert center.locale() == "de"
    center.now += timedelta(minutes=2)
    (message,) = center.emails()
    assert message["Content-Language"] == "en"


def test_a_topic_may_be_named_like_a_field(center: Site) -> None:
    with center.database.transaction() as session:
        make.topic(session, "language", name="Language")
        make.subscriber(session, ADA, "language")
    store_language(center, "de")
    page = center.page(f"{PREFERENCES}?lang=en")
    page.untick("Weekly news")
    assert center.press_and_follow(page, "Save").lang == ("en", "ltr")


def test_a_stored_language_that_changed_since_is_kept(center: Site) -> None:
    store_language(center, "en")
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    store_language(center, "de")
    center.press(page, "Save")
    assert center.locale() == "de"


def test_a_stored_language_that_is_no_longer_offered_is_kept(center: Site) -> None:
    store_language(center, "pt-BR")
    page = center.page(f"{PREFERENCES}?lang=de")
    assert page.options("language")["English"]
    page.untick("Weekly news")
    center.press(page, page.buttons[-2])
    assert center.locale() == "pt-BR"


def test_switching_the_language_keeps_the_choices_and_saves_nothing(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.ONE_MONTH)
    page = center.page(PREFERENCES)
    page.untick("Product news")
    page.tick("Town letter")
    page.tick("Weekly news Resume now")
    page.select("often-weekly-news", "At most once a week")
    page.select("pause", "3 months, until 22 February 2027")
    page.select("language", "العربية")
    before = center.rows()
    german = center.press_and_follow(page, "Deutsch")
    assert german.lang == ("de", "ltr")
    english = center.press_and_follow(german, "English")
    assert center.rows() == before
    assert english.chosen == page.chosen
    for name in ("often-weekly-news", "pause", "language"):
        assert english.options(name) == page.options(name)
    assert "Saved" not in english.text
    center.press(english, "Save")
    assert center.subscriptions()["weekly-news"][1] == "weekly"
    assert center.locale() == "ar"


def test_a_switched_page_is_current_after_its_choices_were_saved(center: Site) -> None:
    """A browser that goes back to the page loads it again."""
    page = center.page(PREFERENCES)
    page.untick("Product news")
    page.tick("Town letter")
    page.select("pause", "2 weeks, until 6 December 2026")
    switched = center.press(page, "Deutsch").location.replace("lang=de", "lang=en")
    center.press(center.page(switched), "Save")
    again = center.page(switched)
    assert "There is a problem" not in again.text
    assert again.chosen == ["Town letter", "Weekly news"]
    assert "Waiting for your confirmation" in again.text


def test_a_link_cannot_preselect_a_topic(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.tick("Town letter")
    page.select("pause", "2 weeks, until 6 December 2026")
    kept = center.press(page, "Deutsch").location
    assert center.page(kept).chosen == ["Product news", "Town letter", "Weekly news"]
    for forged in (
        kept.replace("seal=", "seal=x"),
        kept.replace("&seal=", "&other="),
        kept.replace("pause=2-weeks", "pause=3-months"),
        kept.replace(PREFERENCES, link("preferences", campaign="2026-48")),
    ):
        assert forged != kept
        assert center.page(forged).chosen == ["Product news", "Weekly news"]


def test_choices_too_many_for_a_url_are_kept_too(center: Site) -> None:
    names = [f"Topic {number:02} {'x' * 20}" for number in range(70)]
    for name in names:
        center.add_topic(name.lower().replace(" ", "-"), name=name)
    page = center.page(PREFERENCES)
    for name in names:
        page.tick(name)
    german = Page(center.press(page, "Deutsch", 200))
    assert german.chosen == page.chosen


def test_switching_on_a_stale_page_shows_the_difference(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("often-weekly-news", "At most once a month")
    center.post(link())
    english = center.press_and_follow(center.press_and_follow(page, "Deutsch"), "English")
    assert "Weekly news: no emails (this page showed: every email)" not in english.text
    german = center.press_and_follow(page, "Deutsch")
    assert "Weekly news" in german.text.partition("Northwind")[0]


@pytest.mark.parametrize("data", [{}, {"topic": "../x"}, {"topic": "x", "was-x": "?"}])
def test_switching_with_an_invalid_form_shows_the_plain_page(
    center: Site, data: dict[str, str]
) -> None:
    before = center.rows()
    answer = center.post(f"{PREFERENCES}/language?lang=de", data=data)
    assert center.page(answer.location).text == center.page(f"{PREFERENCES}?lang=de").text
    assert center.rows() == before


def test_enter_saves(center: Site) -> None:
    """The first button of a form, in the order of the page, is the one that Enter presses."""
    html = center.get(PREFERENCES).text
    first = html.index('form="preferences"')
    assert html[first:].partition(">")[2].startswith("Save</button>")
    assert "formaction" not in html[first:].partition(">")[0]


@pytest.mark.parametrize("language", ["", "xx", "fr", "en\n", "../de", "de" * 40])
def test_an_unknown_language_is_not_saved(center: Site, language: str) -> None:
    path, data = center.page(PREFERENCES).form_of("Save")
    answer = center.post(f"{path}?lang=de", data=data | {"language": language})
    assert center.page(answer.location).lang == ("de", "ltr")
    assert center.locale() in {None, "de"}


# Breaks.


@pytest.mark.parametrize(
    ("length", "date"),
    [
        ("2 weeks", "6 December 2026"),
        ("1 month", "22 December 2026"),
        ("3 months", "22 February 2027"),
    ],
)
def test_a_break_pauses_every_topic_received(center: Site, length: str, date: str) -> None:
    before = center.subscriptions()
    page = center.page(PREFERENCES)
    page.select("pause", f"{length}, until {date}")
    shown = center.press_and_follow(page, "Save")
    assert f"Saved. Your emails are paused until {date}" in shown.text
    assert f"Everything is paused until {date}." in shown.text
    assert shown.buttons == ["Undo", RESUME_ALL, ALL, "Save", MY_DATA]
    assert [each[2] is not None for each in center.subscriptions().values()] == [True, True]
    assert center.press_and_follow(shown, "Undo").heading == "Everything is as it was"
    assert center.subscriptions() == before


def test_a_break_saves_the_topics_too_with_one_email_and_one_undo(center: Site) -> None:
    center.add_topic("science")
    with center.database.transaction() as session:
        make.start_topic(session, slug="science")
    before = center.subscriptions()
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    page.select("often-product-news", "At most once a month")
    page.select("pause", "2 weeks, until 6 December 2026")
    shown = center.press_and_follow(page, "Save")
    assert "Weekly news: no emails" in shown.text
    assert "Product news: at most once a month (was: every email)" in shown.text
    assert center.unsubscribed() == ["weekly-news"]
    status, frequency, until = center.subscriptions()["product-news"]
    assert (status, frequency) == ("subscribed", "monthly")
    assert until is not None
    center.now += timedelta(minutes=2)
    assert len(center.emails()) == 1
    center.press(shown, "Undo")
    assert center.subscriptions() == before


def test_a_break_does_not_shorten_a_longer_pause(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.THREE_MONTHS)
    page = center.page(PREFERENCES)
    page.select("pause", "2 weeks, until 6 December 2026")
    shown = center.press_and_follow(page, "Save")
    assert "Saved. Product news: paused until 6 December 2026" in shown.text
    first = "Everything is paused. The first emails come again on 6 December 2026."
    assert first in shown.text
    assert "Paused until 22 February 2027" in shown.text


def test_a_break_can_only_be_made_longer(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("pause", "1 month, until 22 December 2026")
    shown = center.press_and_follow(page, "Save")
    longer = ["Keep it as it is", "3 months, until 22 February 2027"]
    assert list(shown.options("pause")) == longer
    assert "Make the break longer" in shown.labels
    shown.select("pause", longer[-1])
    shown = center.press_and_follow(shown, "Save")
    assert "Everything is paused until 22 February 2027." in shown.text
    assert "Take a break" not in shown.text
    before = center.events()
    assert "Nothing has changed." in center.press_and_follow(page, "Save").text
    assert center.events() == before


def test_resume_all_resumes_every_topic_with_one_email_and_undo(center: Site) -> None:
    for slug, pause in (("weekly-news", Pause.ONE_MONTH), ("product-news", Pause.TWO_WEEKS)):
        with center.database.transaction() as session:
            make.reduce(session, pause, slug=slug)
    before = center.subscriptions()
    page = center.page(PREFERENCES)
    page.select("often-weekly-news", "At most once a week")
    shown = center.press_and_follow(page, RESUME_ALL)
    assert "Saved. Weekly news: at most once a week (was: every email)" in shown.text
    assert "Your emails have started again" in shown.text
    assert "paused" not in shown.text
    assert [each[2] for each in center.subscriptions().values()] == [None, None]
    (message,) = center.emails()
    assert "has started again" in mailer.plain(message)
    center.press(center.page(path_in(message, "/r/", "/undo")), "Undo")
    assert center.subscriptions() == before


def test_resume_all_overrides_a_longer_break(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("pause", "2 weeks, until 6 December 2026")
    shown = center.press_and_follow(page, "Save")
    shown.select("pause", "3 months, until 22 February 2027")
    assert "paused" not in center.press_and_follow(shown, RESUME_ALL).text


def test_one_of_several_pauses_is_ended_by_its_own_box(center: Site) -> None:
    for slug in ("weekly-news", "product-news"):
        with center.database.transaction() as session:
            make.reduce(session, Pause.ONE_MONTH, slug=slug)
    page = center.page(PREFERENCES)
    page.tick("Product news Resume now")
    shown = center.press_and_follow(page, "Save")
    assert "Product news: started again" in shown.text
    assert RESUME_ALL not in shown.buttons
    assert "Weekly news Resume now" in shown.labels


def test_resuming_one_topic_and_a_break_of_all_are_both_saved(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.THREE_MONTHS)
    page = center.page(PREFERENCES)
    page.tick("Weekly news Resume now")
    page.select("pause", "2 weeks, until 6 December 2026")
    shown = center.press_and_follow(page, "Save")
    assert "Everything is paused until 6 December 2026." in shown.text
    assert len(center.emails()) == 1


def test_without_email_nothing_can_be_resumed(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe(ADA)
    page = site.page(PREFERENCES)
    page.select("pause", "2 weeks, until 6 December 2026")
    shown = site.press_and_follow(page, "Save")
    assert "Everything is paused until 6 December 2026." in shown.text
    assert shown.buttons == ["Undo", ALL, "Save"]
    assert not [label for label in shown.labels if "Resume" in label]
    assert "no topic can be started, resumed or sent more often on this page." in shown.text
    assert "write to help@example.org" in shown.text


def test_an_unknown_length_is_refused(center: Site) -> None:
    before = center.rows()
    path, data = center.page(PREFERENCES).form_of("Save")
    assert Page(center.post(path, data=data | {"pause": "4-years"}), 400)
    assert center.rows() == before


def test_without_topics_received_there_is_nothing_to_pause(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("pause", "2 weeks, until 6 December 2026")
    for topic in ("Weekly news", "Product news"):
        page.untick(topic)
    shown = center.press_and_follow(page, "Save")
    assert "Take a break" not in shown.text
    assert {event for event, _ in center.events()[-2:]} == {"unsubscribed"}


# Names, announcements and the way on.


def test_each_field_is_named_by_its_topic(center: Site) -> None:
    with center.database.transaction() as session:
        topics.describe(topics.get(session, "weekly-news"), "en", "Weekly news", "What happened.")
    with center.database.transaction() as session:
        make.reduce(session, Pause.ONE_MONTH)
    page = center.page(PREFERENCES)
    assert len(page.labels) == len(set(page.labels))
    assert {"Weekly news", "Weekly news How often", "Weekly news Resume now"} <= set(page.labels)
    assert page.described("Weekly news") == "What happened."
    groups = [each for each in page.root.iter() if each.get("role") == "group"]
    assert [each.get("aria-labelledby") for each in groups] == [
        *("n-product-news", "n-town-letter", "n-weekly-news")
    ]


def test_what_was_saved_has_the_focus_and_the_title(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    shown = center.press_and_follow(page, "Save")
    assert shown.title == "Saved – Your email preferences – Northwind Letters"
    (said,) = [each for each in shown.root.iter() if each.get("autofocus") is not None]
    assert (said.get("role"), said.get("tabindex")) == ("alert", "-1")
    nothing = center.press_and_follow(shown, "Save")
    assert nothing.title == "Your email preferences – Northwind Letters"
    assert [each for each in nothing.root.iter() if each.get("autofocus") is not None]


def test_nothing_is_said_that_is_not_known(center: Site) -> None:
    assert 'class="said"' in center.get(f"{link('preferences')}?said=nothing").text
    assert 'class="said"' not in center.get(f"{link('preferences')}?said=x").text


def test_one_button_is_filled(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    for shown in (page, center.press_and_follow(page, "Save")):
        buttons = [each for each in shown.main.iter("button") if each.get("class") != "second"]
        assert [words(each) for each in buttons] == ["Save"]


def test_account_messages_are_named(site_with: SiteMaker) -> None:
    site = site_with(account_messages=True)
    site.subscribe(ADA)
    assert "Receipts and account messages still come." in site.page(PREFERENCES).text


def test_the_page_can_unsubscribe_from_all(center: Site) -> None:
    receipt_page = center.press_and_follow(center.page(PREFERENCES), ALL)
    assert receipt_page.heading == "You’re unsubscribed from everything"
    assert center.unsubscribed() == ["all"]


def test_an_unknown_recipient_can_unsubscribe_from_all(center: Site) -> None:
    center.press(center.page(link("preferences", "new@example.org")), ALL)
    assert center.unsubscribed("new@example.org") == ["all"]


def test_without_topics_unsubscribing_from_all_works(site_with: SiteMaker) -> None:
    site = site_with()
    page = site.page(PREFERENCES)
    assert "There are no topics to choose from." in page.text
    assert page.buttons == [ALL, "Save", MY_DATA]  # saves the language
    assert "You can still unsubscribe from everything." in page.text
    site.press(page, ALL)
    assert site.unsubscribed() == ["all"]
    assert "You can still unsubscribe" not in site.page(PREFERENCES).text


@pytest.mark.parametrize(
    "data", [{}, {"scope": "topic", "topic": "no-such-topic"}, {"scope": "address"}]
)
def test_a_form_without_a_button_changes_nothing(center: Site, data: dict[str, str]) -> None:
    before = center.rows()
    page = Page(center.post(f"{PREFERENCES}/leave", data=data), 400)
    assert page.title.startswith("Error: ")
    assert center.rows() == before
