"""A page that is used with the keyboard only.

    keyboard = Keyboard(page)
    keyboard.follow("Exports")
    keyboard.choose("Topic", "Weekly news")
    keyboard.press("Export")

The Tab key must reach each element, and the element must then have a visible outline.
"""

import pytest
from playwright.sync_api import Locator, Page, expect

MAX_STOPS = 150  # of the Tab key, on the longest page
# An element that has the focus, or a radio button whose group has it.
_HAS_FOCUS = """each => {
    const focused = document.activeElement
    const isInGroup = each.type === "radio" && focused.form === each.form
    return focused === each || isInGroup && focused.type === "radio" && focused.name === each.name
}"""
_OUTLINE = """() => {
    const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement)
    return outlineStyle === "solid" ? parseFloat(outlineWidth) : 0
}"""
_CHOSEN = "each => each.selectedOptions[0].text"


class Keyboard:
    """The keyboard of a page. Elements are named as a screen reader names them."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def reach(self, target: Locator) -> None:
        """Press Tab until an element has the focus."""
        expect(target).to_be_attached()
        for _ in range(MAX_STOPS):
            self.page.keyboard.press("Tab")
            if target.evaluate(_HAS_FOCUS):
                assert self.page.evaluate(_OUTLINE) >= 2
                expect(target).to_be_in_viewport()
                return
        pytest.fail(f"Tab does not reach {target}")

    def follow(self, link: str, within: Locator | None = None) -> None:
        """Open a link: the first with this text."""
        self._enter((within or self.page).get_by_role("link", name=link).first)

    def press(self, button: str) -> None:
        """Press a button: the first with this text."""
        self._enter(self.page.get_by_role("button", name=button, exact=True).first)

    def open(self, summary: str) -> None:
        """Open or close what a summary hides: the first with this text."""
        self._enter(self.page.locator("summary", has_text=summary).first)

    def type(self, field: str, text: str) -> None:
        """Replace the text of a field."""
        self.reach(self.page.get_by_label(field, exact=True).first)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def choose(self, field: str, option: str) -> None:
        """Choose an option of a select field by its first letters."""
        select = self.page.get_by_label(field, exact=True).first
        self.reach(select)
        self.page.keyboard.type(option)
        assert select.evaluate(_CHOSEN) == option

    def mark(self, radio: str) -> None:
        """Choose a radio button of the group that Tab reaches."""
        target = self.page.get_by_role("radio", name=radio).first
        self.reach(target)
        self.page.keyboard.press("Space")
        for _ in range(MAX_STOPS):
            if target.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        pytest.fail(f"the arrow keys do not reach {radio}")

    def _enter(self, target: Locator) -> None:
        self.reach(target)
        self.page.keyboard.press("Enter")
