"""The accent is readable on light and dark paper, or refused with a readable alternative."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.settings.colours import (
    DARK_PAPER,
    DEFAULT_ACCENT,
    LIGHT_PAPER,
    LowContrastError,
    accent,
    contrast,
)

ENOUGH = 4.5  # WCAG 2.2, success criterion 1.4.3
colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#1f5fbf", "#1f5fbf", 1.0)],
)
def test_contrast_follows_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)
    assert contrast(other, one) == contrast(one, other)


@given(colours)
def test_an_accent_is_readable_or_refused_with_a_readable_one(colour: str) -> None:
    try:
        chosen = accent(colour)
    except LowContrastError as error:
        proposed = re.findall(r"#[0-9a-f]{6}", str(error))[-1]
        chosen = accent(proposed)
    assert contrast(chosen.light, LIGHT_PAPER) >= ENOUGH
    assert contrast(chosen.dark, DARK_PAPER) >= ENOUGH
    assert contrast(chosen.on_light, chosen.light) >= ENOUGH
    assert contrast(chosen.on_dark, chosen.dark) >= ENOUGH


def test_a_readable_accent_is_unchanged() -> None:
    assert accent("#1F5FBF").light == "#1f5fbf"
    assert accent("#1f5fbf") == DEFAULT_ACCENT


@pytest.mark.parametrize(
    "text", ["", "blue", "#12345", "#1234567", "1f5fbf", "#gggggg", "#1f5fbf\n"]
)
def test_an_invalid_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a colour"):
        accent(text)


def test_the_paper_colours_match_the_style_sheet() -> None:
    from preference_center.util import resources

    sheet = resources.read("static", "style.css", None)
    papers = re.findall(r"--paper: (#[0-9a-f]{6})", sheet)
    assert papers == [LIGHT_PAPER, DARK_PAPER]
