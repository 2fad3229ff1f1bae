"""The brand's accent colour in light and dark, with the contrast of WCAG 2.2 SC 1.4.3."""

import re
from dataclasses import dataclass

LIGHT_PAPER = "#fdfcfa"
DARK_PAPER = "#181715"
MIN_CONTRAST = 4.5

_Rgb = tuple[int, int, int]


class LowContrastError(ValueError):
    """The accent would be hard to read on the page; the message suggests a darker one."""


@dataclass(frozen=True)
class Accent:
    """The accent, for text and button backgrounds, and the colour of a text on it."""

    light: str
    on_light: str
    dark: str
    on_dark: str


def accent(colour: str) -> Accent:
    """Return the accent for `colour` (`#rrggbb`), lightened as needed for dark mode.

    Raises ValueError if it is not a colour, LowContrastError if it is too pale for the page.
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ValueError("is not a colour like #1f5fbf")
    readable = _mixed_until_readable(colour, (0, 0, 0), LIGHT_PAPER)
    if readable != colour.lower():
        ratio = contrast(colour, LIGHT_PAPER)
        raise LowContrastError(
            f"has a contrast of {ratio:.1f} on the page and needs {MIN_CONTRAST}; use {readable}"
        )
    dark = _mixed_until_readable(colour, (255, 255, 255), DARK_PAPER)
    return Accent(readable, _on(readable), dark, _on(dark))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _mixed_until_readable(colour: str, towards: _Rgb, paper: str) -> str:
    for step in range(21):
        mixed = _hex(_mix(_rgb(colour), towards, step / 20))
        if contrast(mixed, paper) >= MIN_CONTRAST:
            return mixed
    raise AssertionError("black on light and white on dark are always readable")


def _on(ground: str) -> str:
    return max("#ffffff", "#0d0d0d", key=lambda ink: contrast(ink, ground))


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
