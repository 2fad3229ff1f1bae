"""A stale or forged preferences form changes nothing, and a stale one keeps the choices."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from preference_center.core.vocab import Frequency, Pause
from tests.support import make
from tests.support.page import Page
from tests.support.site import ALL, Site, confirm, link

pytestmark = pytest.mark.pages

PREFERENCES = link("preferences")
STALE = "Your preferences have changed since you opened this page, so nothing is saved yet."
EVERY = ("subscribed", "every", None)


def test_a_stale_form_shows_the_difference_and_keeps_the_choices(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("often-product-news", "At most once a week")
    page.tick("Town letter")
    page.select("language", "Deutsch")
    center.post(link())  # in the mail program, in the meantime
    before = center.rows()
    again = Page(center.press(page, "Save", 409), 409)
    assert again.title.startswith("Error: ")
    assert STALE in again.text
    assert "Weekly news: no emails (this page showed: every email)" in again.text
    assert center.rows() == before
    assert again.options("often-product-news")["At most once a week"]
    assert again.options("language")["Deutsch"]
    assert again.chosen == ["Product news", "Town letter"]
    saved = center.press(again, "Save")
    assert "requested=town-letter" in saved.location
    assert center.subscriptions()["product-news"] == ("subscribed", "weekly", None)
    assert center.subscriptions()["weekly-news"][0] == "unsubscribed"
    assert center.locale() == "de"


def test_a_topic_unsubscribed_elsewhere_is_not_ticked_again(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("often-weekly-news", "At most once a month")
    center.post(link())
    again = Page(center.press(page, "Save", 409), 409)
    assert "Weekly news" not in again.chosen
    center.press(again, "Save")
    assert center.subscriptions()["weekly-news"][0] == "unsubscribed"
    assert "confirm" not in [row[2] for row in center.rows()["outbox"]]


def test_unticking_a_topic_that_was_reduced_since_unsubscribes(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    with center.database.transaction() as session:
        make.reduce(session, Frequency.MONTHLY)
    again = Page(center.press(page, "Save", 409), 409)
    assert "Weekly news: at most once a month (this page showed: every email)" in again.text
    assert "Weekly news" not in again.chosen
    center.press(again, "Save")
    assert center.unsubscribed() == ["weekly-news"]


def test_a_stale_form_keeps_the_choice_to_resume(center: Site) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Pause.ONE_MONTH)
    page = center.page(PREFERENCES)
    page.tick("Weekly news Resume now")
    with center.database.transaction() as session:
        make.reduce(session, Frequency.WEEKLY)
    again = Page(center.press(page, "Save", 409), 409)
    assert "Weekly news Resume now" in again.chosen
    center.press(again, "Save")
    assert center.subscriptions()["weekly-news"] == ("subscribed", "weekly", None)


def test_a_form_sent_after_unsubscribing_from_all_starts_nothing(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("often-weekly-news", "At most once a week")
    center.press(page, ALL)
    again = Page(center.press(page, "Save", 409), 409)
    assert "Product news: no emails (this page showed: every email)" in again.text
    assert again.chosen == []
    center.press(again, "Save")
    assert center.unsubscribed() == ["all"]
    assert center.page(PREFERENCES).chosen == []


def test_a_topic_added_since_is_unchanged(center: Site) -> None:
    page = center.page(PREFERENCES)
    center.add_topic("science", policy="opt_out")
    page.untick("Weekly news")
    shown = center.press_and_follow(page, "Save")
    assert shown.chosen == ["Product news", "Science"]
    assert center.unsubscribed() == ["weekly-news"]


def test_a_topic_archived_since_is_reported_and_the_rest_kept(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("often-product-news", "At most once a week")
    center.archive("weekly-news")
    again = Page(center.press(page, "Save", 409), 409)
    assert "We no longer send Weekly news" in again.text
    assert "Weekly news" not in again.labels
    assert "at most once a week (was" in center.press_and_follow(again, "Save").text


def test_a_topic_archived_since_cannot_be_started(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.tick("Town letter")
    center.archive("town-letter")
    before = center.rows()
    again = Page(center.press(page, "Save", 409), 409)
    assert "We no longer send Town letter" in again.text
    assert "Town letter" not in again.labels
    assert center.rows() == before


def test_an_archived_topic_that_was_off_makes_no_form_stale(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    center.archive("town-letter")
    assert "Weekly news: no emails" in center.press_and_follow(page, "Save").text


def test_the_second_of_two_forms_is_stale(center: Site) -> None:
    one, two = center.page(PREFERENCES), center.page(PREFERENCES)
    one.select("often-weekly-news", "At most once a week")
    two.select("often-weekly-news", "At most once a month")
    center.press(one, "Save")
    again = Page(center.press(two, "Save", 409), 409)
    assert again.options("often-weekly-news")["At most once a month"]
    center.press(again, "Save")
    assert center.subscriptions()["weekly-news"] == ("subscribed", "monthly", None)


def test_one_of_two_simultaneous_forms_is_saved(center: Site) -> None:
    path, form = center.page(PREFERENCES).form_of("Save")
    forms = [form | {"often-weekly-news": [often]} for often in ("weekly", "monthly")]
    together = Barrier(2)

    def send(form: dict[str, list[str]]) -> int:
        together.wait()
        return center.app.test_client().post(path, data=form).status_code

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(send, forms)) == [303, 409]
    assert [event for event, _ in center.events()].count("reduced") == 1


def test_pressing_save_twice_makes_one_change_and_no_error(center: Site) -> None:
    center.add_topic("science")
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    page.select("often-product-news", "At most once a month")
    page.tick("Science")
    center.press(page, "Save")
    before = center.rows()
    again = center.press_and_follow(page, "Save")
    assert again.chosen == ["Product news"]
    assert center.rows() == before
    assert len(center.emails()) == 1


def test_a_topic_started_meanwhile_sends_no_link(center: Site) -> None:
    center.add_topic("science")
    page = center.page(PREFERENCES)
    page.tick("Science")
    center.press(center.page(confirm("science")), "Yes, send me Science")
    shown = center.press_and_follow(page, "Save")
    assert "Check your email" not in shown.text
    assert "Science" in shown.chosen
    assert center.emails() == []


def test_a_topic_started_meanwhile_stays_subscribed(center: Site) -> None:
    center.add_topic("science")
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    center.press(center.page(confirm("science")), "Yes, send me Science")
    again = Page(center.press(page, "Save", 409), 409)
    assert "Science: every email (this page showed: no emails)" in again.text
    assert again.chosen == ["Product news", "Science"]
    center.press(again, "Save")
    assert center.subscriptions()["science"] == EVERY


def test_a_topic_unsubscribed_meanwhile_can_be_unticked(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.untick("Weekly news")
    center.post(link())
    assert "Weekly news" not in center.press_and_follow(page, "Save").chosen
    assert center.unsubscribed() == ["weekly-news"]


GOOD = {"topic": "weekly-news", "was-weekly-news": "every", "on-weekly-news": "on"}
HOSTILE: dict[str, Any] = {
    "nothing": {},
    "no topic": {"on-weekly-news": "on", "was-weekly-news": "every"},
    "no previous value": {"topic": "weekly-news", "on-weekly-news": "on"},
    "an empty previous value": GOOD | {"was-weekly-news": ""},
    "an unknown previous value": GOOD | {"was-weekly-news": "daily"},
    "an unknown frequency": GOOD | {"often-weekly-news": "hourly"},
    "off as a frequency, in upper case": GOOD | {"often-weekly-news": "OFF"},
    "a false previous value": GOOD | {"was-weekly-news": "off", "often-weekly-news": "weekly"},
    "an unknown slug": {"topic": "no-such", "was-no-such": "off", "on-no-such": "on"},
    "an unknown slug without a tick": {"topic": "no-such", "was-no-such": "off"},
    "an invalid slug": {"topic": "../x", "was-../x": "off"},
    "an empty slug": {"topic": "", "was-": "off", "on-": "on"},
    "a slug with a NUL": {"topic": "weekly-news\x00", "was-weekly-news\x00": "every"},
    "a slug of surrogates": b"topic=%ed%a0%80&was-%ed%a0%80=off",
    "the same topic twice, with different values": GOOD
    | {"topic": ["weekly-news"] * 2, "was-weekly-news": ["off", "monthly"]}
    | {"often-weekly-news": ["weekly", "monthly"]},
    "one valid topic and one invalid": GOOD
    | {"topic": ["weekly-news", "x"], "on-weekly-news": [], "was-x": "every"},
    "thousands of topics": {"topic": [f"t{n}" for n in range(7000)]},
    "sixty thousand characters": GOOD | {"often-weekly-news": "w" * 60_000},
    "a body that is too long": GOOD | {"often-weekly-news": "w" * 70_000},
    "not a form": b"{",
    "bytes": bytes(range(256)) * 200,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_form_changes_nothing(center: Site, what: str) -> None:
    before = center.rows()
    for form in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        sent = HOSTILE[what]
        kind = {"content_type": form} if isinstance(sent, bytes) else {}
        answer = center.post(f"{PREFERENCES}/save", data=sent, **kind)
        assert answer.status_code in {400, 409, 413}
        if answer.status_code < 413:
            assert Page(answer, answer.status_code).title.startswith("Error: ")
        assert center.rows() == before
