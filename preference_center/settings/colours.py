"""The brand's colour on light and dark pages, with the contrast of WCAG 2.2 SC 1.4.3."""

import re
from dataclasses import dataclass
from functools import lru_cache

LIGHT_PAPER = "#fdfcfa"
DARK_PAPER = "#181715"
MIN_CONTRAST = 4.5
_STEPS = 100

_Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Accent:
    """The brand's colour with what is derived from it.

    `button` is the colour itself, on which `ink` is readable. `light` and `dark` are for links,
    outlines and borders: the colour, mixed until it is readable on light or dark paper.
    """

    button: str
    ink: str
    light: str
    dark: str


@lru_cache(maxsize=32)
def accent(colour: str) -> Accent:
    """Return the accent for a colour, `#rrggbb`. Raises ValueError if it is not one."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ValueError("is not a colour like #1f5fbf")
    button = colour.lower()
    # The contrast of the better ink is at least 4.58, the square root of that of black on white.
    ink = max("#ffffff", "#000000", key=lambda each: contrast(each, button))
    light = _mixed_until_readable(button, (0, 0, 0), LIGHT_PAPER)
    dark = _mixed_until_readable(button, (255, 255, 255), DARK_PAPER)
    return Accent(button, ink, light, dark)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _mixed_until_readable(colour: str, towards: _Rgb, paper: str) -> str:
    for step in range(_STEPS + 1):
        mixed = _hex(_mix(_rgb(colour), towards, step / _STEPS))
        if contrast(mixed, paper) >= MIN_CONTRAST:
            return mixed
    raise AssertionError("black on light and white on dark are always readable")


def _mix(one: _Rgb, other: _Rgb, share: float) -> _Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _rgb(colour: str) -> _Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(colour: _Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _luminance(colour: _Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


DEFAULT_ACCENT = accent("#1f5fbf")
