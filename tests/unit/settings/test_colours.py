"""Any colour gives readable buttons and links, on light and dark paper."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.settings.colours import (
    DARK_PAPER,
    DEFAULT_ACCENT,
    LIGHT_PAPER,
    accent,
    contrast,
)
from preference_center.util import resources

ENOUGH = 4.5  # WCAG 2.2, success criterion 1.4.3
PAPERS = (LIGHT_PAPER, DARK_PAPER)
SHEET = resources.read("static", "style.css", None)
colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#1f5fbf", "#1f5fbf", 1.0)],
)
def test_contrast_follows_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)
    assert contrast(other, one) == contrast(one, other)


@given(colours)
def test_any_colour_gives_contrast(colour: str) -> None:
    found = accent(colour)
    assert found.button == colour
    assert contrast(found.ink, found.button) >= ENOUGH
    assert contrast(found.light, LIGHT_PAPER) >= ENOUGH
    assert contrast(found.dark, DARK_PAPER) >= ENOUGH


def test_the_hardest_grounds_give_contrast() -> None:
    """Grey, red, green and blue, each in every brightness."""
    for step in range(256):
        for colour in (f"{step:02x}" * 3, f"{step:02x}0000", f"00{step:02x}00", f"0000{step:02x}"):
            found = accent(f"#{colour}")
            assert contrast(found.ink, found.button) >= ENOUGH, colour


@given(colours)
def test_a_colour_that_is_readable_on_a_paper_is_unchanged_there(colour: str) -> None:
    found = accent(colour.upper())
    for paper, shade in zip(PAPERS, (found.light, found.dark), strict=True):
        assert (shade == colour) is (contrast(colour, paper) >= ENOUGH)


def test_a_bright_colour_keeps_its_button_and_darkens_its_links() -> None:
    yellow = accent("#ffcc00")
    assert (yellow.button, yellow.ink) == ("#ffcc00", "#000000")
    assert (yellow.light, yellow.dark) == ("#8c7000", "#ffcc00")
    assert accent("#1F5FBF") == DEFAULT_ACCENT


@pytest.mark.parametrize(
    "text", ["", "blue", "#12345", "#1234567", "1f5fbf", "#gggggg", "#1f5fbf\n"]
)
def test_an_invalid_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a colour"):
        accent(text)


def test_the_paper_colours_match_the_style_sheet() -> None:
    assert tuple(re.findall(r"--paper: (#[0-9a-f]{6})", SHEET)) == PAPERS


@pytest.mark.parametrize("name", ["ink", "soft", "wrong"])
def test_a_text_colour_of_the_style_sheet_is_readable(name: str) -> None:
    found = re.findall(rf"--{name}: (#[0-9a-f]{{6}})", SHEET)
    for colour, paper in zip(found, PAPERS, strict=True):
        assert contrast(colour, paper) >= ENOUGH


def test_the_border_of_a_field_is_visible() -> None:
    """Three to one, as success criterion 1.4.11 asks."""
    found = re.findall(r"--field: (#[0-9a-f]{6})", SHEET)
    for colour, paper in zip(found, PAPERS, strict=True):
        assert contrast(colour, paper) >= 3


@pytest.mark.parametrize("name", ["style.css", "demo.css"])
def test_a_sheet_uses_only_colours_that_exist(name: str) -> None:
    appended = {"--accent", "--button", "--on-button"}
    used = re.findall(r"var\((--[\w-]+)", resources.read("static", name, None))
    assert set(used) <= {*re.findall(r"(--[\w-]+):", SHEET), *appended}
