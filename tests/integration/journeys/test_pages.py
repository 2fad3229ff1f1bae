"""Every page in every state fits a phone, is light, and changes nothing when it is opened."""

import os
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request

from tests.integration.journeys.stage import LANGUAGES, OFFERED, Stage

# To wait longer: JOURNEY_SECONDS=30 pytest -n0 tests/integration/journeys/test_pages.py -k waits
SECONDS = float(os.environ.get("JOURNEY_SECONDS", "3"))
MAX_BYTES = 5_000  # transferred


@pytest.mark.parametrize("language", OFFERED)
def test_no_page_is_wider_than_a_phone(staged: Stage, page: Page, language: str) -> None:
    """A width of 320 px also covers 640 px at 200 % zoom. Pages of one kind share their layout."""
    wide = {}
    for name in staged.pages if language == "en" else staged.kinds:
        staged.open(page, name, language)
        wide[name] = page.evaluate("document.documentElement.scrollWidth")
    assert {name: width for name, width in wide.items() if width > 320} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_unsubscribe_buttons_are_equal_on_the_first_screen(
    letters: Stage, page: Page, language: str
) -> None:
    letters.open(page, "leave", language)
    buttons = page.locator("form[action*='/leave'] button")
    styles = buttons.evaluate_all(
        """buttons => buttons.map(button => {
            const box = button.getBoundingClientRect(), style = getComputedStyle(button)
            return [box.width, box.height, style.backgroundColor, style.color, style.font,
                    style.borderColor, box.bottom <= innerHeight]
        })"""
    )
    assert len(styles) == 2
    assert styles[0] == styles[1]
    assert styles[0][1] >= 48
    assert styles[0][-1] is True
    assert len(set(buttons.all_inner_texts())) == 2


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_open_switch_of_the_language_fits_a_phone(
    letters: Stage, page: Page, language: str
) -> None:
    letters.open(page, "leave", language)
    page.locator("header summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.locator("header").get_by_role("link", name="日本語").click()
    assert page.locator("html").get_attribute("lang") == "ja"


def test_a_page_requests_nothing_else_and_sets_no_cookie(
    staged: Stage, context: BrowserContext
) -> None:
    page = context.new_page()
    requests: list[Request] = []
    headers: list[str] = []
    page.on("request", lambda request: requests.append(request))
    page.on("response", lambda response: headers.extend(response.all_headers()))
    for name in staged.kinds:
        requests.clear()
        staged.open(page, name)
        fetched = [each for each in requests if not each.url.startswith("data:")]
        assert {each.resource_type for each in fetched} == {"document"}, name
        assert all(each.url.startswith(staged.base) for each in fetched), name
        assert page.evaluate("document.cookie") == ""
    assert "content-security-policy" in headers
    assert "set-cookie" not in headers
    assert context.cookies() == []


def test_the_style_sheet_and_the_logo_of_a_page_are_allowed(trouble: Stage, page: Page) -> None:
    trouble.open(page, "trouble")
    assert page.evaluate("getComputedStyle(document.body).display") == "grid"
    logo = "(image => [image.naturalWidth, image.height])(document.images[0])"
    width, height = page.evaluate(logo)
    assert width > 0
    assert 40 <= height <= 43


def test_every_link_and_button_is_high_enough_for_a_finger(letters: Stage, page: Page) -> None:
    """44 px, except links within a sentence."""
    low = {}
    for name in ("leave", "goodbye", "preferences", "broken link"):
        letters.open(page, name)
        page.locator("header summary").click()
        low[name] = page.locator("header a, summary, footer a, li > a, button").evaluate_all(
            """all => all.filter(each => each.getBoundingClientRect().height < 44)
                         .map(each => each.textContent)"""
        )
    assert {name: texts for name, texts in low.items() if texts} == {}


def test_with_forced_colours_every_button_and_field_has_a_border(
    letters: Stage, page: Page
) -> None:
    """The system's colours replace backgrounds, which are all that a button else stands out by."""
    page.emulate_media(forced_colors="active")
    faint = {}
    for name in ("leave", "goodbye", "preferences", "sign up", "account, complain"):
        letters.open(page, name)
        faint[name] = page.locator("main :is(button, select, textarea, [type=email])").evaluate_all(
            """all => all.filter(each => {
                const style = getComputedStyle(each)
                return style.borderTopStyle !== 'solid' || style.borderTopWidth === '0px'
                    || style.borderTopColor === getComputedStyle(document.body).backgroundColor
            }).map(each => each.name || each.textContent)"""
        )
    assert {name: found for name, found in faint.items() if found} == {}


def test_a_printed_page_shows_its_forms_without_buttons(letters: Stage, page: Page) -> None:
    page.emulate_media(media="print")
    letters.open(page, "preferences")
    assert page.get_by_role("checkbox").first.is_visible()
    assert page.get_by_role("combobox").first.is_visible()
    assert page.get_by_role("button").count() == 0
    assert page.get_by_role("navigation", name="Language").count() == 0
    assert not page.locator(".save").is_visible()  # its ground would cover what is above it
    letters.open(page, "goodbye")
    for text in ("Puts everything back", "Would you tell us why?"):  # they need a button
        assert page.get_by_text(text).count() == 1
        assert not page.get_by_text(text).is_visible()


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_page_fits_in_5_kilobytes(staged: Stage, encoding: str) -> None:
    sizes = {name: _on_the_wire(staged, path, encoding) for name, path in staged.pages.items()}
    assert {name: size for name, size in sizes.items() if size > MAX_BYTES} == {}


def test_a_browser_that_opens_pages_of_every_kind_and_waits_changes_no_row(
    letters: Stage, browser: Browser
) -> None:
    before = letters.rows()
    with browser.new_context() as context:
        for name in letters.kinds:
            letters.open(context.new_page(), name)
        context.pages[0].wait_for_timeout(SECONDS * 1000)
    assert letters.rows() == before


def _on_the_wire(staged: Stage, path: str, encoding: str) -> int:
    """Return the size of an answer, including status line and headers."""
    with closing(HTTPConnection(urlsplit(staged.base).netloc, timeout=10)) as connection:
        connection.request("GET", path, headers={"Accept-Encoding": encoding})
        answer = connection.getresponse()
        assert answer.getheader("Content-Encoding") == encoding
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", ""]
        lines += [f"{name}: {value}" for name, value in answer.getheaders()]
        return sum(len(line) + 2 for line in lines) + len(answer.read())
