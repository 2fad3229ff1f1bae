"""From the link in an email to the unsubscribe, and back again."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from tests.integration.journeys import stage
from tests.integration.journeys.stage import BOTH, Stage


def press(page: Page, name: str) -> None:
    """Press a button whose name begins with `name`; a hint may follow."""
    page.get_by_role("button", name=re.compile(rf"^{re.escape(name)}\b")).click()


def expect_heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(words)


def test_one_press_unsubscribes_from_a_topic(letters: Stage, page: Page) -> None:
    page.goto(letters.join("press@journeys.example"))
    press(page, "Unsubscribe from Weekly news")
    expect_heading(page, "You’re unsubscribed from Weekly news")
    expect(page.get_by_role("listitem")).to_have_text(["Product news"])
    expect(page.get_by_text("Thank you for reading Weekly news since 20")).to_be_visible()
    assert letters.received_topics("press@journeys.example") == {"product-news"}


def test_one_press_unsubscribes_from_everything(letters: Stage, page: Page) -> None:
    page.goto(letters.join("everything@journeys.example"))
    press(page, "Unsubscribe from everything")
    expect_heading(page, "You’re unsubscribed from everything")
    expect(page.get_by_text("You won’t get any more newsletters from us.")).to_be_visible()
    assert letters.received_topics("everything@journeys.example") == set()


def test_reloading_the_receipt_changes_nothing(letters: Stage, page: Page) -> None:
    page.goto(letters.join("reload@journeys.example"))
    press(page, "Unsubscribe from Weekly news")
    expect_heading(page, "You’re unsubscribed from Weekly news")
    before = letters.rows()
    page.reload()
    expect_heading(page, "You’re unsubscribed from Weekly news")
    assert letters.rows() == before


def test_undo_restores_everything(letters: Stage, page: Page) -> None:
    page.goto(letters.join("undo@journeys.example"))
    press(page, "Unsubscribe from everything")
    press(page, "Undo")
    expect_heading(page, "Everything is as it was")
    expect(page.get_by_role("listitem")).to_have_text(["Product news", "Weekly news"])
    assert letters.received_topics("undo@journeys.example") == set(BOTH)


def test_unsubscribing_works_after_an_undo(letters: Stage, page: Page) -> None:
    page.goto(letters.join("after-all@journeys.example"))
    press(page, "Unsubscribe from Weekly news")
    press(page, "Undo")
    press(page, "Unsubscribe from Weekly news")
    expect_heading(page, "You’re unsubscribed from Weekly news")
    assert letters.received_topics("after-all@journeys.example") == {"product-news"}


def test_the_undo_link_in_the_email_asks_first(letters: Stage, page: Page) -> None:
    page.goto(letters.join("mailed@journeys.example"))
    press(page, "Unsubscribe from Weekly news")
    page.goto(f"{page.url}/undo")
    expect_heading(page, "Undo your change?")
    assert letters.received_topics("mailed@journeys.example") == {"product-news"}
    press(page, "Undo")
    expect_heading(page, "Everything is as it was")
    page.go_back()
    page.reload()
    expect_heading(page, "Everything is as it was")


def test_who_never_signed_up_can_stop_everything(letters: Stage, page: Page) -> None:
    page.goto(letters.join("never@journeys.example"))
    press(page, "Unsubscribe from Weekly news")
    press(page, "I never signed up")
    expect(page.get_by_text("Someone may have typed your address by mistake.")).to_be_in_viewport()
    press(page, "Unsubscribe from everything")
    expect_heading(page, "You’re unsubscribed from everything")
    expect(page.locator("#why")).to_have_count(0)
    assert letters.received_topics("never@journeys.example") == set()


def test_the_undo_question_and_a_refused_undo_lead_on(letters: Stage, page: Page) -> None:
    letters.open(page, "undo")
    page.get_by_role("link", name="No, leave it as it is").click()
    expect_heading(page, "You’re unsubscribed from Weekly news")
    assert letters.open(page, "undo, newer choice") == 409
    page.get_by_role("link", name="All your email preferences").click()
    expect_heading(page, "Your email preferences")


def test_an_unsubscribed_topics_link_shows_since_when(letters: Stage, page: Page) -> None:
    link = letters.join("already@journeys.example")
    page.goto(link)
    press(page, "Unsubscribe from Weekly news")
    page.goto(link)
    expect_heading(page, "You’re already unsubscribed from Weekly news")
    expect(page.get_by_text("Since ")).to_be_visible()
    expect(page.get_by_role("listitem")).to_have_text(["Product news"])
    press(page, "Unsubscribe from everything")
    expect_heading(page, "You’re unsubscribed from everything")
    assert letters.received_topics("already@journeys.example") == set()


def test_the_preferences_page_can_unsubscribe_from_a_topic(letters: Stage, page: Page) -> None:
    page.goto(letters.join("topics@journeys.example"))
    page.get_by_role("link", name="All your email preferences").click()
    expect_heading(page, "Your email preferences")
    page.get_by_role("checkbox", name="Product news").uncheck()
    press(page, "Save")
    expect(page.get_by_role("alert")).to_contain_text("Product news: no emails")
    assert letters.received_topics("topics@journeys.example") == {"weekly-news"}


def test_an_unknown_address_can_unsubscribe(letters: Stage, page: Page) -> None:
    page.goto(letters.base + stage.link("unsubscribe", "stranger@journeys.example"))
    press(page, "Unsubscribe from Weekly news")
    expect_heading(page, "You’re unsubscribed from Weekly news")
    expect(page.get_by_text("We have no address on file")).to_be_visible()


def test_a_database_failure_is_reported(trouble: Stage, page: Page) -> None:
    assert trouble.open(page, "trouble") == 503
    expect_heading(page, "We can’t show this page right now")
    links = page.get_by_role("main").get_by_role("link")
    expect(links).to_have_text(["Try again", "help@example.org", "Back to Northwind Letters"])


def test_an_empty_form_focuses_the_error(letters: Stage, page: Page) -> None:
    assert letters.open(page, "leave, nothing pressed") == 400
    expect(page).to_have_title("Error: Unsubscribe from Weekly news – Northwind Letters")
    expect(page.get_by_role("alert")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#choose")).to_be_focused()


def test_the_chosen_language_is_kept(letters: Stage, page: Page) -> None:
    page.goto(letters.join("language@journeys.example"))
    page.locator("summary").click()
    page.get_by_role("link", name="العربية").click()
    page.get_by_role("button").first.click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    page.locator("summary").click()
    page.get_by_role("link", name="English").click()
    expect_heading(page, "You’re unsubscribed from Weekly news")


def test_every_step_works_with_the_keyboard(letters: Stage, page: Page) -> None:
    page.goto(letters.join("keyboard@journeys.example"))
    for heading in ("You’re unsubscribed from Weekly news", "Everything is as it was"):
        focused = page.locator("main :focus-visible")
        while not focused.count():
            page.keyboard.press("Tab")
        expect(focused).to_have_css("outline-style", "solid")
        expect(focused).to_have_css("outline-width", "3px")
        page.keyboard.press("Enter")
        expect_heading(page, heading)


@pytest.mark.parametrize("scripts", [True, False])
def test_neither_scripts_nor_cookies_are_needed(
    letters: Stage, browser: Browser, scripts: bool
) -> None:
    with browser.new_context(java_script_enabled=scripts) as context:
        page = context.new_page()
        page.goto(letters.join(f"scripts-{scripts}@journeys.example"))
        press(page, "Unsubscribe from Weekly news")
        press(page, "Undo")
        expect_heading(page, "Everything is as it was")
        assert context.cookies() == []


def test_a_choice_that_failed_is_applied_by_trying_again(letters: Stage, page: Page) -> None:
    page.goto(letters.join("again@journeys.example"))
    page.locator("input[value=monthly]").check()
    with _lost_table(letters, "subscriptions"):
        press(page, "Do this instead")
        expect_heading(page, "Sorry, we couldn’t save that")
        press(page, "Try again")
        expect_heading(page, "Sorry, we couldn’t save that")
    press(page, "Try again")
    expect_heading(page, "You’ll get Weekly news at most once a month")


def test_a_page_that_could_not_be_shown_can_be_tried_again(letters: Stage, page: Page) -> None:
    link = letters.join("later@journeys.example")
    with _lost_table(letters, "subscriptions"):
        page.goto(link)
        expect_heading(page, "We can’t show this page right now")
    page.get_by_role("link", name="Try again").click()
    expect_heading(page, "Unsubscribe from Weekly news")


@contextmanager
def _lost_table(letters: Stage, name: str) -> Iterator[None]:
    """Hide a table of the database from the server until the block ends."""
    with letters.database.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {name} RENAME TO lost"))
    try:
        yield
    finally:
        with letters.database.engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE lost RENAME TO {name}"))
