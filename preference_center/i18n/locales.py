"""What is known of a language: its name, its direction, its plural forms, how it writes dates.

`ar-XB` is a pseudo-locale (English rendered right to left) for testing layouts and finding
untranslated strings.
"""

import re
from datetime import date, datetime
from unicodedata import bidirectional

from babel import Locale
from babel.dates import format_date, format_datetime

from preference_center.settings.reader import LANGUAGES, PSEUDO

SOURCE = "en"


def locale_of(code: str) -> Locale:
    """Return Babel's locale for a language code."""
    # British English gives 22 November 2026.
    return Locale.parse({PSEUDO: "ar", SOURCE: "en-GB"}.get(code, code), sep="-")


# Each page shows the names of all languages. Babel would read a file of each, in 5 to 10 ms.
def name_of(code: str) -> str:
    """Return the name of a language in that language."""
    return LANGUAGES["ar" if code == PSEUDO else code]


def direction(code: str) -> str:
    """Return `ltr` or `rtl`."""
    return "rtl" if bidirectional(name_of(code)[0]) in ("R", "AL") else "ltr"


def date_in_words(on: date, locale: Locale) -> str:
    """Return a date, with the name of its month."""
    # Ukrainian abbreviates the word "year", whose full stop would double that of a sentence.
    text = re.sub(r"\sр\.$", " року", format_date(on, "long", locale=locale))
    # Keep the day with its month: at the end of a line, a German "24." looks like a full stop.
    return text.replace(" ", "\N{NO-BREAK SPACE}", 1)


def day(at: datetime, locale: Locale) -> str:
    """Return the day of a time, in the time's own zone."""
    return date_in_words(at.date(), locale)


def sentences(text: str, locale: Locale) -> str:
    """Return sentences as one line, with a space between them where the language has one.

    The type stays: HTML that is safe is returned as such.
    """
    line = " ".join(text.split())
    return type(text)(re.sub("(?<=[。」]) ", "", line) if locale.language == "ja" else line)


def short_date(on: date, locale: Locale) -> str:
    """Return a date, with the name of its month abbreviated."""
    return format_date(on, "medium", locale=locale).replace(" ", "\N{NO-BREAK SPACE}")


def moment(at: datetime, locale: Locale) -> str:
    """Return a time with its day and its zone, in that zone."""
    time = f"{at:%H:%M} {_zone_name(at, locale)}"
    return str(locale.datetime_formats["medium"]).format(time, day(at, locale))


def _zone_name(at: datetime, locale: Locale) -> str:
    """Return the short name of a time's zone in the language, else its own, else the offset."""
    names = (format_datetime(at, "z", at.tzinfo, locale), at.tzname() or "")
    return next(filter(str.isalpha, names), f"UTC{at.isoformat()[-6:]}")
