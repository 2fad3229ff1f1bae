"""The console in a real browser: a passkey of a virtual authenticator, and axe on every page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.journeys import console_pages, console_stage
from tests.integration.journeys.console_stage import Installation, add_authenticator, make_passkey
from tests.integration.journeys.test_axe import COLOURS, EVERY_RULE, report

# The pages of an installation with no topic and no subscriber.
EMPTY = ("", "campaigns", "reasons", "lists?show=1", "topics", "operations", "keys")
SMALL, LARGE = {"width": 320, "height": 640}, {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def installed(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with console_stage.installed(tmp_path_factory.mktemp("console"), sqlite_template) as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Yield a page whose browser has an authenticator, and no cookie."""
    with browser.new_context(viewport=LARGE, bypass_csp=False) as context:  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        page = context.new_page()
        add_authenticator(page)
        yield page


def test_a_member_signs_in_out_and_recovers(installed: Installation, page: Page) -> None:
    link = installed.invitation("--role", "admin")
    make_passkey(installed, page, link)
    page.get_by_role("button", name="Sign out").press("Enter")  # By keyboard.
    expect(page).to_have_title("Sign in – Console")
    page.goto(f"{installed.base}/console/staff")
    expect(page).to_have_title("Sign in – Console")
    page.get_by_role("button", name="Sign in with a passkey").press("Enter")
    page.wait_for_url(f"{installed.base}/console/")

    page.context.clear_cookies()
    page.goto("about:blank")
    page.goto(link)  # It was used.
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("This link was used")
    page.goto("about:blank")
    page.goto(installed.invitation())  # This authenticator has a passkey of Ada's already.
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("has a passkey for you already")


def test_no_page_has_faults_of_accessibility_or_is_too_wide(
    installed: Installation, browser: Browser, page: Page, tmp_path: Path
) -> None:
    make_passkey(installed, page, installed.invitation("--role", "admin", "--export"))
    with browser.new_context(storage_state=page.context.storage_state(), bypass_csp=True) as other:
        page, found = other.new_page(), {}

        def look(name: str, status: int | None, expected: int = 200) -> None:
            assert status == expected, (name, status)
            page.emulate_media(color_scheme="light")
            found[name] = report(page, EVERY_RULE)
            page.emulate_media(color_scheme="dark")
            found[f"{name}, dark"] = report(page, COLOURS)
            page.set_viewport_size(SMALL)  # type: ignore[arg-type]
            assert page.evaluate("document.documentElement.scrollWidth") <= SMALL["width"], name
            page.set_viewport_size(LARGE)  # type: ignore[arg-type]

        def visit(path: str) -> int | None:
            answer = page.goto(installed.base + console_pages.BASE + path)
            return answer.status if answer is not None else None

        for path in EMPTY:
            look(f"{path}, empty", visit(path))
        console_stage.fill(installed, tmp_path)
        paths = console_pages.addresses(installed)
        assert console_pages.missing(paths) == set()
        for path in paths:
            look(path, visit(path))
        look("404", visit(f"data/exports/{console_pages.UNKNOWN}"), 404)
        for path, status, fields in console_pages.sent():
            visit("me")
            look(f"{path}, {status}", console_pages.send(page, path, fields), status)
    assert {name: text for name, text in found.items() if text} == {}
