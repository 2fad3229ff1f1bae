"""The reason for an unsubscribe: optional, asked afterwards, stored without personal data."""

from datetime import timedelta
from typing import Any

import pytest

from preference_center.core import erasure, topics
from preference_center.core.vocab import Frequency, Source
from tests.support import make
from tests.support.page import Page
from tests.support.site import Site, link, path_in, receipt
from tests.support.web_fixtures import SiteMaker

THIS = "Unsubscribe from Weekly news"
ALL = "Unsubscribe from all Northwind Letters emails"
EVERYTHING = "Unsubscribe from everything"  # on the unsubscribe page
SEND = "Send answer"
QUESTION = "Would you tell us why? (optional)"
NOTE = "Anything else? (optional)"
NOTHING = "Choose a reason or write something. You can also just close this page."
TOO_LONG = "Shorten your answer to 500 characters."
THANKS = "Thank you. Your answer helps us do better."
REASONS = {
    "Too many emails": "too_many",
    "Not relevant to me": "not_relevant",
    "No longer interested": "no_longer_interested",
    "I never signed up": "never_signed_up",
    "I’ve changed my email address": "changed_address",
    "The content wasn’t good enough": "content_quality",
    "Something else": "other",
    "I’d rather not say": "prefer_not_say",
}


def unsubscribe(site: Site, button: str = THIS) -> Page:
    """Unsubscribe by a button of the page, and return the receipt."""
    return site.press_and_follow(site.page(link()), button)


def reasons(site: Site) -> list[tuple[Any, ...]]:
    """Return the topic, campaign, code and note of each reason."""
    return [row[4:] for row in site.rows()["reasons"]]


def test_the_question_follows_an_unsubscribe_and_preselects_nothing(site: Site) -> None:
    page = unsubscribe(site)
    assert QUESTION in page.text
    assert "Why did you leave?" in page.text
    assert page.labels == [*REASONS, NOTE]
    assert page.chosen == []
    assert "Up to 500 characters. Please leave out personal details. We can’t reply." in page.text
    assert page.buttons == ["Undo", SEND]
    assert page.text.index("Undo") < page.text.index(QUESTION)


def test_no_reason_is_asked_before_an_unsubscribe_or_after_a_reduction(site: Site) -> None:
    page = site.page(link())
    assert "why" not in page.text.lower()
    page.choose("At most once a week")
    assert "why" not in site.press_and_follow(page, "Do this instead").text.lower()
    assert "why" not in site.page(link("preferences")).text.lower()


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_recorded(site: Site, reason: str) -> None:
    page = unsubscribe(site)
    page.choose(reason)
    answer = site.press(page, SEND)
    assert answer.location.endswith("#why")
    shown = site.page(answer.location)
    assert THANKS in shown.text
    assert QUESTION not in shown.text
    assert reasons(site) == [("weekly-news", "2026-47", REASONS[reason], "")]


def test_a_note_without_a_reason_is_recorded_as_other(site: Site) -> None:
    page = unsubscribe(site)
    page.fill_in(NOTE, "The dog ate\r\nmy phone & <b>more</b>")
    assert THANKS in site.press_and_follow(page, SEND).text
    expected = ("weekly-news", "2026-47", "other", "The dog ate my phone & <b>more</b>")
    assert reasons(site) == [expected]


def test_a_reason_and_a_note_are_recorded_together(site: Site) -> None:
    page = unsubscribe(site, EVERYTHING)
    page.choose("Too many emails")
    page.fill_in(NOTE, "Six a day.")
    site.press(page, SEND)
    assert reasons(site) == [(None, "2026-47", "too_many", "Six a day.")]


def test_an_answer_is_recorded_with_its_unsubscribe_and_its_week(site: Site) -> None:
    page = unsubscribe(site)
    page.choose("Too many emails")
    site.press(page, SEND)
    (row,) = site.rows()["reasons"]
    assert row[:4] == (make.id_of(), 3, make.NOW, make.NOW.date() - timedelta(days=6))


@pytest.mark.parametrize("note", ["", "   ", "\r\n\r\n"])
def test_an_empty_answer_is_an_error_linked_to_the_first_reason(site: Site, note: str) -> None:
    page = unsubscribe(site)
    page.fill_in(NOTE, note)
    again = Page(site.press(page, SEND, 400), 400)
    assert again.title == "Error: You’re unsubscribed from Weekly news – Northwind Letters"
    assert again.text.startswith(f"There is a problem {NOTHING}")
    assert again.links[NOTHING] == f"#{again.field('Too many emails').get('id')}"
    assert again.buttons == ["Undo", SEND]
    assert reasons(site) == []


def test_a_note_too_long_is_an_error_that_keeps_the_text_and_the_choice(site: Site) -> None:
    page, text = unsubscribe(site), "ü" * 501
    page.choose("Not relevant to me")
    page.fill_in(NOTE, text)
    again = Page(site.press(page, SEND, 400), 400)
    assert again.links[TOO_LONG] == f"#{again.field(NOTE).get('id')}"
    field = again.field(NOTE)
    assert field.text == text
    assert (field.get("aria-invalid"), again.chosen) == ("true", ["Not relevant to me"])
    assert "note-problem" in field.get("aria-describedby", "").split()
    assert reasons(site) == []
    again.fill_in(NOTE, "ü" * 500)
    assert THANKS in site.press_and_follow(again, SEND).text
    assert reasons(site)[0][3] == "ü" * 500


def test_a_line_break_counts_as_one_character(site: Site) -> None:
    page = unsubscribe(site)
    page.fill_in(NOTE, "x\n" * 249 + "xx")
    assert THANKS in site.press_and_follow(page, SEND).text


def test_a_note_of_the_maximum_form_size_is_shown_again_in_full(site: Site) -> None:
    page, text = unsubscribe(site), "word " * 12_000
    page.fill_in(NOTE, text)
    again = Page(site.press(page, SEND, 400), 400)
    assert again.field(NOTE).text == text.strip()
    page.fill_in(NOTE, text * 2)
    assert site.press(page, SEND, 413)
    assert reasons(site) == []


def test_addresses_and_phone_numbers_in_a_note_are_not_stored(site: Site) -> None:
    page = unsubscribe(site)
    page.fill_in(
        NOTE, "Write to ada.l@example.net or ring +49 (0)170 123-4567, thanks. Since 2019."
    )
    site.press(page, SEND)
    assert reasons(site)[0][3] == "Write to [address] or ring [number], thanks. Since 2019."


def test_a_note_is_never_shown_again(site: Site) -> None:
    page = unsubscribe(site)
    page.fill_in(NOTE, "<script>alert(1)</script>")
    assert "alert" not in site.press_and_follow(page, SEND).html


@pytest.mark.parametrize("button", [THIS, EVERYTHING])
def test_the_reason_never_signed_up_is_answered_with_an_apology(site: Site, button: str) -> None:
    page = unsubscribe(site, button)
    page.choose("I never signed up")
    shown = site.press_and_follow(page, SEND)
    if button == EVERYTHING:
        assert shown.buttons == ["Undo"]
        return
    assert f"{THANKS} We’re sorry. {ALL}" in shown.text
    left = site.press_and_follow(shown, ALL)
    assert left.heading == "You’re unsubscribed from all Northwind Letters emails"
    assert site.unsubscribed() == ["weekly-news", "all"]


def test_other_reasons_are_answered_without_an_offer(site: Site) -> None:
    page = unsubscribe(site)
    page.choose("Too many emails")
    shown = site.press_and_follow(page, SEND)
    assert shown.buttons == ["Undo"]
    assert "sorry" not in shown.text


def test_a_second_answer_replaces_the_first(site: Site) -> None:
    page = unsubscribe(site)
    page.choose("Too many emails")
    site.press(page, SEND)
    page.choose("Something else")
    page.fill_in(NOTE, "On second thoughts.")
    site.press(page, SEND)
    assert reasons(site) == [("weekly-news", "2026-47", "other", "On second thoughts.")]


def test_after_one_click_only_the_email_asks_for_a_reason(site: Site) -> None:
    site.post(link())
    site.now += timedelta(minutes=2)
    (message,) = site.emails()
    page = site.page(path_in(message, "/r/", "#why"))
    assert QUESTION in page.text
    assert "why" in [each.get("id") for each in page.root.iter("section")]
    page.choose("Too many emails")
    assert THANKS in site.press_and_follow(page, SEND).text
    assert reasons(site) == [("weekly-news", "2026-47", "too_many", "")]


def test_an_answer_survives_undo_and_is_not_asked_for_again(site: Site) -> None:
    page = unsubscribe(site)
    page.choose("Too many emails")
    answered = site.press_and_follow(page, SEND)
    undone = site.press_and_follow(answered, "Undo")
    assert QUESTION not in undone.text
    assert len(reasons(site)) == 1


def test_an_answer_changes_nothing_else(site: Site) -> None:
    page = unsubscribe(site)
    page.choose("Too many emails")
    before = site.rows()
    site.press(page, SEND)
    after = site.rows()
    assert {name for name in after if after[name] != before[name]} == {"reasons"}


def test_no_reason_is_recorded_for_an_erased_subscriber(site: Site) -> None:
    page = unsubscribe(site)
    page.choose("Too many emails")
    with site.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    before = site.rows()
    assert site.press(page, SEND, 409)
    assert site.rows() == before


def assert_refused(site: Site, path: str) -> None:
    before = site.rows()
    answer = site.post(f"{path}/reason", data={"code": "too_many", "note": "x"})
    assert answer.status_code == 409
    assert site.rows() == before


def test_a_reduction_accepts_no_reason(site: Site) -> None:
    with site.database.transaction() as session:
        reduced = make.reduce(session, Frequency.WEEKLY)
    assert_refused(site, receipt(reduced.first_seq))


@pytest.mark.parametrize("source", ["console", "complaint", "api", "import"])
def test_an_unsubscribe_by_others_accepts_no_reason(site: Site, source: Any) -> None:
    with site.database.transaction() as session:
        unsubscribed = make.unsubscribe(session, source=source)
    assert_refused(site, receipt(unsubscribed.first_seq))


def test_no_reason_is_recorded_for_another_or_a_missing_unsubscribe(site: Site) -> None:
    with site.database.transaction() as session:
        unsubscribed = make.unsubscribe(session, "bob@example.org")
    assert_refused(site, receipt(unsubscribed.first_seq))
    assert_refused(site, receipt(99))
    assert_refused(site, receipt(1, 2))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"code": "too_much"},
        {"code": ""},
        {"code": "too_many\n"},
        {"code": ["", "too_many"]},
        {"text": "x"},
    ],
)
def test_an_invalid_answer_is_not_recorded(site: Site, data: dict[str, Any]) -> None:
    path = site.press(site.page(link()), THIS).location
    before = site.rows()
    assert Page(site.post(f"{path}/reason", data=data), 400).title.startswith("Error: ")
    assert site.rows() == before


def test_a_nul_in_a_note_is_not_an_error(site: Site) -> None:
    path = site.press(site.page(link()), THIS).location
    assert site.post(f"{path}/reason", data={"note": "a\x00b"}).status_code == 303
    assert reasons(site)[0][3] == "a b"


def test_the_question_is_in_the_language_of_the_page(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "ar-XB"))
    site.subscribe()
    with site.database.transaction() as session:
        topics.describe(topics.get(session, "weekly-news"), "ar", "أخبار", "")
    page = site.page(f"{link()}?lang=ar-XB")
    left = site.press_and_follow(page, page.buttons[0])
    again = Page(site.press(left, left.buttons[-1], 400), 400)
    assert again.lang == ("ar-XB", "rtl")
