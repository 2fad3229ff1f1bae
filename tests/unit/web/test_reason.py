"""The reason for an unsubscribe: optional, asked afterwards, stored without personal data."""

from datetime import timedelta
from typing import Any

import pytest

from preference_center.core import erasure, topics
from preference_center.core.vocab import Frequency, Source
from tests.support import make
from tests.support.page import Page, words
from tests.support.site import ALL, THIS, Site, link, path_in, receipt
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

SEND = "Send"
QUESTION = "Would you tell us why? (optional)"
NOTE = "Anything else? (optional)"
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
}


def unsubscribe(site: Site, button: str = THIS) -> Page:
    """Unsubscribe by a button of the page, and return the receipt."""
    return site.press_and_follow(site.page(link()), button)


def answered(site: Site, reason: str = "Too many emails", button: str = THIS) -> Page:
    """Unsubscribe, give a reason, and return the receipt."""
    return site.press_and_follow(unsubscribe(site, button), reason)


def reasons(site: Site) -> list[tuple[Any, ...]]:
    """Return the topic, campaign, code and note of each reason."""
    return [row[4:] for row in site.rows()["reasons"]]


def test_the_question_follows_an_unsubscribe_with_a_button_for_each_reason(site: Site) -> None:
    page = unsubscribe(site)
    assert page.text.count(QUESTION) == 1
    (legend,) = page.root.iter("legend")
    assert [words(each) for each in legend.iter("h2")] == [QUESTION]
    assert page.buttons == ["Undo", *REASONS]
    assert page.labels == []
    assert page.text.index("If you change your mind") < page.text.index(QUESTION)


def test_no_reason_is_asked_before_an_unsubscribe_or_after_a_reduction(site: Site) -> None:
    page = site.page(link())
    assert "why" not in page.text.lower()
    page.choose("At most once a week")
    assert "why" not in site.press_and_follow(page, "Do this instead").text.lower()
    assert "why" not in site.page(link("preferences")).text.lower()


@pytest.mark.parametrize("reason", REASONS)
def test_one_press_records_a_reason(site: Site, reason: str) -> None:
    answer = site.press(unsubscribe(site), reason)
    assert answer.location.endswith("#why")
    shown = site.page(answer.location)
    assert THANKS in shown.text
    assert QUESTION not in shown.text
    assert shown.labels == [NOTE]
    assert reasons(site) == [("weekly-news", "2026-47", REASONS[reason], "")]


def test_a_client_may_still_decline_to_say(site: Site) -> None:
    path = site.press(site.page(link()), THIS).location
    assert site.post(f"{path}/reason", data={"code": "prefer_not_say"}).status_code == 303
    assert reasons(site) == [("weekly-news", "2026-47", "prefer_not_say", "")]


@pytest.mark.parametrize(
    ("contact", "reply"),
    [
        ("help@example.org", "if you need an answer, write to help@example.org."),
        ("", "We can’t reply here."),
    ],
)
def test_a_note_keeps_the_reason_and_is_asked_for_once(
    site_with: SiteMaker, contact: str, reply: str
) -> None:
    site = site_with(contact=contact)
    site.subscribe()
    page = answered(site, "Not relevant to me", ALL)
    assert "Up to 500 characters. Please leave out personal details. We can’t" in page.text
    assert reply in page.text
    page.fill_in(NOTE, "Six a day.\r\nThe dog & <b>I</b>")
    done = site.press_and_follow(page, SEND)
    assert THANKS in done.text
    assert done.labels == []
    expected = (None, "2026-47", "not_relevant", "Six a day. The dog & <b>I</b>")
    assert reasons(site) == [expected]


def test_an_answer_is_recorded_with_its_unsubscribe_and_its_week(site: Site) -> None:
    answered(site)
    (row,) = site.rows()["reasons"]
    assert row[:4] == (make.id_of(), 3, make.NOW, make.NOW.date() - timedelta(days=6))


@pytest.mark.parametrize("note", ["", "   ", "\r\n\r\n"])
def test_an_empty_note_is_no_error(site: Site, note: str) -> None:
    page = answered(site)
    before = site.rows()
    page.fill_in(NOTE, note)
    assert site.press_and_follow(page, SEND).title.startswith("You’re unsubscribed")
    assert site.rows() == before


def test_a_note_too_long_is_an_error_that_keeps_the_text_and_the_reason(site: Site) -> None:
    page, text = answered(site, "Not relevant to me"), "ü" * 501
    page.fill_in(NOTE, text)
    again = Page(site.press(page, SEND, 400), 400)
    assert again.title.startswith("Error: your answer is too long – You’re unsubscribed from")
    assert again.links[TOO_LONG] == f"#{again.field(NOTE).get('id')}"
    field = again.field(NOTE)
    assert field.text == text
    assert field.get("aria-invalid") == "true"
    assert "note-problem" in field.get("aria-describedby", "").split()
    assert reasons(site)[0][2:] == ("not_relevant", "")
    again.fill_in(NOTE, "ü" * 500)
    assert THANKS in site.press_and_follow(again, SEND).text
    assert reasons(site)[0][2:] == ("not_relevant", "ü" * 500)


def test_a_note_too_long_is_kept_even_after_an_undo(site: Site) -> None:
    path = site.press(site.page(link()), THIS).location
    site.press(site.page(path), "Undo")
    page = Page(site.post(f"{path}/reason", data={"note": "x" * 501}), 400)
    assert page.field(NOTE).text == "x" * 501


def test_a_note_alone_is_recorded_as_other(site: Site) -> None:
    path = site.press(site.page(link()), THIS).location
    too_long = Page(site.post(f"{path}/reason", data={"note": "x" * 501}), 400)
    assert reasons(site) == []
    too_long.fill_in(NOTE, "Bye!")
    site.press(too_long, SEND)
    assert reasons(site)[0][2:] == ("other", "Bye!")


def test_a_line_break_counts_as_one_character(site: Site) -> None:
    page = answered(site)
    page.fill_in(NOTE, "x\n" * 249 + "xx")
    assert THANKS in site.press_and_follow(page, SEND).text


def test_a_note_of_the_maximum_form_size_is_shown_again_in_full(site: Site) -> None:
    page, text = answered(site), "word " * 12_000
    page.fill_in(NOTE, text)
    again = Page(site.press(page, SEND, 400), 400)
    assert again.field(NOTE).text == text.strip()
    page.fill_in(NOTE, text * 2)
    assert site.press(page, SEND, 413)
    assert reasons(site)[0][3] == ""


def test_addresses_and_phone_numbers_in_a_note_are_not_stored(site: Site) -> None:
    page = answered(site)
    page.fill_in(
        NOTE, "Write to ada.l@example.net or ring +49 (0)170 123-4567, thanks. Since 2019."
    )
    site.press(page, SEND)
    assert reasons(site)[0][3] == "Write to [address] or ring [number], thanks. Since 2019."


def test_a_note_is_never_shown_again(site: Site) -> None:
    page = answered(site)
    page.fill_in(NOTE, "<script>alert(1)</script>")
    assert "alert" not in site.press_and_follow(page, SEND).html


def test_a_second_answer_replaces_the_first(site: Site) -> None:
    page = unsubscribe(site)
    for reason in ("Too many emails", "Something else"):
        site.press(page, reason)
    assert reasons(site) == [("weekly-news", "2026-47", "other", "")]


def test_after_one_click_only_the_email_asks_for_a_reason(site: Site) -> None:
    site.post(link())
    site.now += timedelta(minutes=2)
    (message,) = site.emails()
    page = site.page(path_in(message, "/r/", "#why"))
    assert QUESTION in page.text
    assert "why" in [each.get("id") for each in page.root.iter("section")]
    assert THANKS in site.press_and_follow(page, "Too many emails").text
    assert reasons(site) == [("weekly-news", "2026-47", "too_many", "")]


def test_an_answer_survives_undo_and_is_not_asked_for_again(site: Site) -> None:
    undone = site.press_and_follow(answered(site), "Undo")
    assert QUESTION not in undone.text
    assert len(reasons(site)) == 1


def test_an_answer_changes_nothing_else(site: Site) -> None:
    page = unsubscribe(site)
    before = site.rows()
    site.press(page, "Too many emails")
    after = site.rows()
    assert {name for name in after if after[name] != before[name]} == {"reasons"}


def test_no_reason_is_recorded_for_an_erased_subscriber(site: Site) -> None:
    page = unsubscribe(site)
    with site.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    before = site.rows()
    assert site.press(page, "Too many emails", 409)
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
def test_an_empty_or_invalid_answer_is_neither_recorded_nor_an_error(
    site: Site, data: dict[str, Any]
) -> None:
    path = site.press(site.page(link()), THIS).location
    before = site.rows()
    assert site.post(f"{path}/reason", data=data).location == f"{path}#why"
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
    thanks = site.press_and_follow(left, left.buttons[-1])
    assert thanks.lang == ("ar-XB", "rtl")
    thanks.fill_in(thanks.labels[0], "x" * 501)
    assert Page(site.press(thanks, thanks.buttons[-1], 400), 400).lang == ("ar-XB", "rtl")
