"""The page of the API, on a phone and a wide screen, light and dark."""

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.integration.journeys.stage import Stage
from tests.integration.journeys.test_axe import COLOURS, EVERY_RULE, report

OPEN = "for (const each of document.querySelectorAll('details')) each.open = true"
# The operations of a resource are laid out alike, and axe takes half a minute for all of them.
REMOVE_MOST = "for (const each of document.querySelectorAll('article + article')) each.remove()"
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "dark")])
def test_the_page_of_the_api_is_accessible_and_fits(
    letters: Stage, browser: Browser, width: int, scheme: Any
) -> None:
    size: Any = {"width": width, "height": 800}
    with browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True) as context:
        page = context.new_page()
        page.goto(f"{letters.base}/api/docs")
        page.evaluate(OPEN)
        assert page.evaluate(WIDER) == 0
        page.evaluate(REMOVE_MOST)
        assert report(page, EVERY_RULE if scheme == "light" else COLOURS) == ""


def test_the_type_of_a_problem_opens_its_kind_in_the_sheets_look(
    letters: Stage, browser: Browser
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{letters.base}/api/docs#unknown-topic")
        kind = page.locator("#unknown-topic")
        assert kind.is_visible()
        assert kind.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
        assert said == []
