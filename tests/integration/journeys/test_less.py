"""Asking for less on a phone, in each language: elements are found by structure, not by text."""

from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from preference_center.core import audience, topics
from tests.integration.journeys import stage
from tests.integration.journeys.stage import LANGUAGES, Stage
from tests.support import make

pytestmark = pytest.mark.parametrize("language", LANGUAGES)


def form(page: Page, action: str) -> Locator:
    return page.locator(f"form[action*='/{action}']")


def press(page: Page, action: str, button: int = -1) -> None:
    form(page, action).locator("button").nth(button).click()


def verdict(letters: Stage, email: str, days: int = 0, topic: str = "weekly-news") -> str:
    """Return the result of the audience check for a subscriber some days from now."""
    now, person = stage.NOW + timedelta(days=days, minutes=5), make.id_of(email)
    with letters.database.reading() as session:
        found = topics.get(session, topic)
        answer = audience.check(session, found, "next", {person: ""}, now)[person]
    return f"{answer.decision} {answer.reason or ''}".strip()


def start(letters: Stage, page: Page, name: str, language: str) -> str:
    """Open the unsubscribe page of a new subscriber in a language, and return their address."""
    email = f"{name}-{language}@journeys.example"
    page.goto(f"{letters.join(email)}?lang={language}")
    assert page.locator("html").get_attribute("lang") == language
    return email


def test_a_weekly_cap_allows_one_email_a_week(letters: Stage, page: Page, language: str) -> None:
    email = start(letters, page, "weekly", language)
    page.locator("input[value=weekly]").check()
    press(page, "less")
    expect(page.locator(".tick")).to_be_visible()
    with letters.database.transaction() as session:
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "this-week", [make.id_of(email)], stage.NOW)
    assert verdict(letters, email, days=1) == "defer frequency"
    assert verdict(letters, email, days=7) == "allow"


def test_a_pause_holds_and_ends_automatically(letters: Stage, page: Page, language: str) -> None:
    email = start(letters, page, "pause", language)
    page.locator("input[value='2-weeks']").check()
    press(page, "less")
    expect(page.locator(".tick")).to_be_visible()
    assert verdict(letters, email, days=1) == "defer paused"
    assert verdict(letters, email, days=15) == "allow"


def test_a_pause_can_be_undone(letters: Stage, page: Page, language: str) -> None:
    email = start(letters, page, "undo", language)
    page.locator("input[value='1-month']").check()
    press(page, "less")
    press(page, "undo")
    expect(page.locator(".tick")).to_be_visible()
    assert verdict(letters, email) == "allow"


def test_unsubscribing_works_after_asking_for_less(
    letters: Stage, page: Page, language: str
) -> None:
    email = start(letters, page, "leave", language)
    page.locator("input[value=monthly]").check()
    press(page, "less")
    press(page, "leave")
    expect(page.locator("#why")).to_be_visible()
    assert verdict(letters, email) == "deny unsubscribed"


def test_a_reason_can_be_given_after_unsubscribing(
    letters: Stage, page: Page, language: str
) -> None:
    email = start(letters, page, "why", language)
    press(page, "leave")
    page.locator("button[value=too_many]").click()
    page.locator("textarea").fill("Every day! Write to me@example.org")
    press(page, "reason")
    expect(page.locator("#why textarea")).to_have_count(0)
    expect(page.locator("#why h2")).to_be_visible()
    reasons = [row for row in letters.rows()["reasons"] if make.id_of(email).hex[:8] in row]
    assert len(reasons) == 1
    assert "[address]" in reasons[0]


def test_too_many_emails_can_end_in_fewer(letters: Stage, page: Page, language: str) -> None:
    email = start(letters, page, "fewer", language)
    press(page, "leave", button=0)
    page.locator("button[value=too_many]").click()
    press(page, "reason")  # No words: that is no error.
    expect(page.locator(".problem")).to_have_count(0)
    press(page, "less")
    expect(page.locator(".tick")).to_be_visible()
    with letters.database.transaction() as session:
        topic = topics.get(session, "product-news")
        audience.claim(session, topic, "this-month", [make.id_of(email)], stage.NOW)
    assert verdict(letters, email, days=8, topic="product-news") == "defer frequency"
    page.go_back()
    page.reload()
    expect(form(page, "less")).to_have_count(0)


def test_a_long_answer_shows_an_error(letters: Stage, page: Page, language: str) -> None:
    start(letters, page, "wordy", language)
    press(page, "leave")
    page.locator("button[value=other]").click()
    page.locator("textarea").fill("x" * 501)
    press(page, "reason")
    expect(page.locator(".problem")).to_be_focused()
    page.locator(".problem a").click()
    expect(page.locator("textarea")).to_be_focused()
    expect(page.locator("textarea")).to_have_value("x" * 501)


def test_preferences_are_saved_and_undone_together(
    letters: Stage, page: Page, language: str
) -> None:
    email = start(letters, page, "save", language)
    page.locator("main section a").first.click()
    page.locator("input[name=on-product-news]").uncheck()
    page.locator("select[name=often-weekly-news]").select_option("monthly")
    press(page, "save")
    expect(page.locator(".said li")).to_have_count(2)
    assert verdict(letters, email, topic="product-news") == "deny unsubscribed"
    press(page, "undo")
    expect(page.locator(".tick")).to_be_visible()
    assert verdict(letters, email, topic="product-news") == "allow"


def test_all_topics_can_be_paused(letters: Stage, page: Page, language: str) -> None:
    email = start(letters, page, "rest", language)
    page.locator("main section a").first.click()
    page.locator("select[name=pause]").select_option("3-months")
    press(page, "save")
    expect(page.locator(".said li")).to_have_count(1)
    assert verdict(letters, email) == verdict(letters, email, topic="product-news")
    assert verdict(letters, email) == "defer paused"


def test_a_lost_link_can_be_requested_by_email(letters: Stage, page: Page, language: str) -> None:
    page.goto(f"{letters.base}/u/cut-sho?lang={language}")
    page.locator("input[type=email]").fill(f"lost-{language}@journeys.example")
    press(page, "sign-up")
    expect(page.locator("h1")).to_be_visible()
    assert page.url.split("?")[0].endswith("/sign-up/sent")
