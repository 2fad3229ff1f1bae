"""The preferences page on a phone: one form, which no press and no key empties."""

from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from preference_center.core.vocab import Pause
from tests.integration.journeys import stage
from tests.integration.journeys.stage import LANGUAGES, Stage
from tests.support import make

SAVE = ".save button"


def start(letters: Stage, page: Page, language: str = "en", *, paused: bool = False) -> str:
    """Open the preferences of a new subscriber of two topics, and return their address."""
    email = f"{uuid4().hex}@journeys.example"
    letters.join(email)
    if paused:
        with letters.database.transaction() as session:
            for slug in stage.BOTH:
                make.reduce(session, Pause.ONE_MONTH, email, slug, at=stage.NOW)
    page.goto(f"{letters.base}{stage.link('preferences', email)}?lang={language}")
    return email


def change(page: Page) -> None:
    """Untick one topic, and choose a cap of the other one and a break of all."""
    page.locator("[name=on-product-news]").uncheck()
    page.locator("[name=often-weekly-news]").select_option("monthly")
    page.locator("[name=pause]").select_option("2-weeks")


def switch(page: Page, language: str) -> None:
    page.locator("header summary").click()
    page.locator(f"header button[lang={language}]").click()
    expect(page.locator("html")).to_have_attribute("lang", language)


def check_kept(page: Page) -> None:
    expect(page.locator("[name=on-product-news]")).not_to_be_checked()
    expect(page.locator("[name=often-weekly-news]")).to_have_value("monthly")
    expect(page.locator("[name=pause]")).to_have_value("2-weeks")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_break_saves_the_topics_too(letters: Stage, page: Page, language: str) -> None:
    email = start(letters, page, language)
    change(page)
    page.locator(SAVE).click()
    expect(page.locator(".said li")).to_have_count(3)
    expect(page.locator("[name=on-product-news]")).not_to_be_checked()
    expect(page.locator("[name=often-weekly-news]")).to_have_value("monthly")
    expect(page.locator("[value=resume]")).to_be_visible()
    assert letters.received_topics(email) == {"weekly-news"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_switch_of_the_language_keeps_every_choice(
    letters: Stage, page: Page, language: str
) -> None:
    email = start(letters, page, language)
    change(page)
    for other in (*(each for each in LANGUAGES if each != language), language):
        switch(page, other)
        check_kept(page)
    page.reload()
    check_kept(page)
    assert letters.received_topics(email) == {*stage.BOTH}
    page.locator(SAVE).click()
    expect(page.locator(".said li")).to_have_count(3)


def test_enter_saves(letters: Stage, page: Page) -> None:
    email = start(letters, page)
    change(page)
    page.locator("[name=on-product-news]").press("Enter")
    expect(page.locator(".said li")).to_have_count(3)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert letters.received_topics(email) == {"weekly-news"}


def test_enter_saves_while_everything_is_paused(letters: Stage, page: Page) -> None:
    start(letters, page, paused=True)
    page.locator("[name=on-product-news]").uncheck()
    page.locator("[name=on-product-news]").press("Enter")
    expect(page.locator(".said li")).to_have_count(1)
    expect(page.locator("[value=resume]")).to_be_visible()


def test_all_topics_are_resumed_by_one_button(letters: Stage, page: Page) -> None:
    start(letters, page, paused=True)
    page.locator("[name=often-weekly-news]").select_option("monthly")
    page.locator("[value=resume]").click()
    expect(page.locator(".said li")).to_have_count(2)
    expect(page.locator("[value=resume]")).to_have_count(0)
    expect(page.locator("[name=often-weekly-news]")).to_have_value("monthly")


def test_what_was_saved_is_announced(letters: Stage, page: Page) -> None:
    start(letters, page)
    change(page)
    page.locator(SAVE).click()
    expect(page.locator(".said[role=alert]")).to_be_focused()
    expect(page).to_have_title("Saved – Your email preferences – Northwind Letters")


def test_the_keyboard_visits_each_field_once_and_save_hides_none(
    letters: Stage, page: Page
) -> None:
    start(letters, page)
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        name, hidden = page.evaluate(
            """() => {
                const here = document.activeElement, save = document.querySelector('.save')
                const box = here.getBoundingClientRect(), over = save.getBoundingClientRect()
                return [here.name || here.lang || here.textContent.trim(),
                        !save.contains(here) && box.bottom > over.top && box.top < over.bottom]
            }"""
        )
        seen.append(name)
        assert not hidden, name
    assert seen == [
        *("Northwind Letters", "English"),
        *("scope", "on-product-news", "often-product-news"),
        *("on-weekly-news", "often-weekly-news", "pause", "language", "Save"),
        *("See, download or delete my data", "Privacy"),
    ]


def test_save_and_unsubscribe_are_on_the_first_screen_and_of_equal_height(
    letters: Stage, page: Page
) -> None:
    start(letters, page)
    save, leave = (page.locator(each).bounding_box() for each in (SAVE, "[name=scope]"))
    assert save is not None
    assert leave is not None
    assert save["width"] == leave["width"]
    assert save["y"] + save["height"] <= 640
    assert leave["y"] + leave["height"] <= 640


def test_back_after_a_switch_of_the_language_and_a_save_shows_the_page(
    letters: Stage, page: Page
) -> None:
    start(letters, page)
    change(page)
    switch(page, "de")
    page.locator("[name=pause]").select_option("")
    page.locator(SAVE).click()
    expect(page.locator(".said li")).to_have_count(2)
    page.go_back()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator(".problem")).to_have_count(0)
    expect(page.locator("[name=on-product-news]")).not_to_be_checked()
    expect(page.locator("[name=often-weekly-news]")).to_have_value("monthly")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_name_of_a_topic_is_beside_its_box(letters: Stage, page: Page, language: str) -> None:
    """An English name has another direction than an Arabic page."""
    start(letters, page, language)
    gap = page.evaluate(
        """() => {
            const text = document.createRange()
            text.selectNodeContents(document.getElementById('n-weekly-news'))
            const name = text.getBoundingClientRect()
            const box = document.querySelector('[name=on-weekly-news]').getBoundingClientRect()
            return Math.max(name.left - box.right, box.left - name.right)
        }"""
    )
    assert 0 < gap < 20
