"""axe finds nothing on any page in any state, light and dark, in both directions."""

from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Browser, Page

from tests.integration.journeys.stage import Stage

# axe disables the rule for WCAG 2.2's target size (24 px) by default.
EVERY_RULE = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
# The only rules that a change from light to dark can affect.
COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}


@pytest.mark.parametrize("language", ["en", "ar"])  # One for each direction
def test_axe_finds_nothing(staged: Stage, browser: Browser, language: str) -> None:
    found = {}
    with browser.new_context(bypass_csp=True) as context:
        page = context.new_page()
        for name in staged.pages:
            page.emulate_media(color_scheme="light")
            staged.open(page, name, language)
            found[name] = report(page, EVERY_RULE)
            page.emulate_media(color_scheme="dark")
            found[f"{name}, dark"] = report(page, COLOURS)
    assert {name: text for name, text in found.items() if text} == {}


def report(page: Page, options: dict[str, Any]) -> str:
    """Return what axe finds on a page, or "". Its script is loaded once a page."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    results: Any = AxeResults(page.evaluate("options => axe.run(options)", options))
    text: str = results.generate_report() if results.violations_count else ""
    return text
