"""axe finds nothing on any page in any state, light and dark, in both directions."""

from typing import Any

import pytest
from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.integration.journeys.stage import Stage

# axe disables the rule for WCAG 2.2's target size (24 px) by default.
EVERY_RULE = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
# The only rules that a change from light to dark can affect.
COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}


@pytest.mark.parametrize("language", ["en", "ar"])  # One for each direction
def test_axe_finds_nothing(staged: Stage, browser: Browser, language: str) -> None:
    """Pages of one kind share their colours, and their layout in the other direction."""
    found = {}
    with browser.new_context(bypass_csp=True) as context:
        page = context.new_page()
        for name in staged.pages if language == "en" else staged.kinds:
            page.emulate_media(color_scheme="light")
            staged.open(page, name, language)
            found[name] = report(page, EVERY_RULE)
            if name in staged.kinds:
                page.emulate_media(color_scheme="dark")
                found[f"{name}, dark"] = report(page, COLOURS)
    assert {name: text for name, text in found.items() if text} == {}


def report(page: Page, options: dict[str, Any]) -> str:
    """Return what axe finds on the page. It is loaded into each page once."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    results = AxeResults(page.evaluate("options => axe.run(options)", options))
    return results.generate_report() if results.violations_count else ""
