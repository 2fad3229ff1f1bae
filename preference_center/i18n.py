"""Languages: Jinja environments for pages and emails, with translations and date formats.

A language is a file `translations/CODE.po`, compiled on its first use. `ar-XB` is a pseudo-locale
(English rendered right to left) for testing layouts and finding untranslated strings.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

PSEUDO = "ar-XB"
SOURCE = "en"
_TRANSLATIONS = Path(__file__).parent / "translations"
_VALUE = re.compile(r'(?<!")%\(\w+\)s')


class Languages:
    """The offered languages, of which the first is the default, and the templates in each."""

    def __init__(
        self, offered: Sequence[str], folders: Sequence[Path], shared: Mapping[str, Any]
    ) -> None:
        self.offered = tuple(offered)
        self._folders, self._shared = folders, shared
        self._environments = dict[tuple[str, bool], Environment]()

    def choose(self, *wanted: str | None) -> str:
        """Return the first code of `wanted` that is offered, or the default.

        A code like `de-AT` also matches `de`.
        """
        for code in filter(None, wanted):
            for candidate in (code, code.partition("-")[0]):
                if candidate in self.offered:
                    return candidate
        return self.offered[0]

    def names(self) -> list[tuple[str, str, str]]:
        """Return (code, name in its own language, direction) of each offered language."""
        return [
            (code, _locale(code).get_language_name() or code, direction(code))
            for code in self.offered
        ]

    def render(self, code: str, template: str, /, **values: Any) -> str:
        """Return a rendered template. Values are escaped only in templates named `*.html`."""
        # Jinja escapes in a macro if it escapes in the file of the macro, whatever the caller is.
        # A text template uses macros of `parts.html`, so there is an environment without escaping.
        environment = self._environment(code, escape=template.endswith(".html"))
        return environment.get_template(template).render(**values)

    def _environment(self, code: str, *, escape: bool) -> Environment:
        """Return an environment, made on its first use: reading translations takes 40 ms."""
        found = self._environments.get((code, escape))
        if found is None:
            found = _environment(code, self._folders, escape=escape)
            found.globals.update(self._shared)
            found.globals.update(lang=code, dir=direction(code), languages=self.names())
            self._environments[code, escape] = found
        return found


def direction(code: str) -> str:
    """Return `ltr` or `rtl`."""
    return _locale(code).text_direction


def _environment(code: str, folders: Sequence[Path], *, escape: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=select_autoescape(["html"] if escape else []),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]
        _translations(code), newstyle=True
    )
    locale = _locale(code)
    environment.filters["day"] = lambda at: _day(_utc(at), locale)
    environment.filters["moment"] = lambda at: _moment(_utc(at), locale)
    environment.filters["isolate"] = _isolate_line if direction(code) == "rtl" else str
    environment.filters["percent"] = lambda share: format_percent(share, locale=locale)
    environment.filters["number"] = lambda number: format_decimal(number, locale=locale)
    return environment


def _day(at: datetime, locale: Locale) -> str:
    # Keep the day with its month: at the end of a line, a German "24." looks like a full stop.
    return format_date(at.date(), "long", locale=locale).replace(" ", "\N{NO-BREAK SPACE}", 1)


def _moment(at: datetime, locale: Locale) -> str:
    time = f"{format_datetime(at, 'HH:mm', locale=locale)} UTC"
    return str(locale.datetime_formats["medium"]).format(time, _day(at, locale))


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def _locale(code: str) -> Locale:
    # British English gives 22 November 2026.
    return Locale.parse({PSEUDO: "ar", SOURCE: "en-GB"}.get(code, code), sep="-")


@cache  # A language has two environments.
def _translations(code: str) -> NullTranslations:
    if code == SOURCE:
        return NullTranslations()
    if code == PSEUDO:
        return _RightToLeft()
    with (_TRANSLATIONS / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code.replace("-", "_"))
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return (_Isolating if direction(code) == "rtl" else GNUTranslations)(compiled)


class _Isolating(GNUTranslations):
    """Translations that isolate each value, so that a Latin name does not reorder its neighbours.

    Unicode's MessageFormat 2 does the same. Values in HTML attributes are not isolated.
    """

    def gettext(self, message: str) -> str:
        return _isolate_values(super().gettext(message))

    def ngettext(self, one: str, many: str, count: int) -> str:
        return _isolate_values(super().ngettext(one, many, count))


def _isolate_values(message: str) -> str:
    return _VALUE.sub(lambda value: _isolate(value[0]), message)


def _isolate(text: str) -> str:
    return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"


def _isolate_line(name: str) -> str:
    # In plain text, the mark makes the direction of the line right-to-left.
    return f"\N{RIGHT-TO-LEFT MARK}{_isolate(name)}"


class _RightToLeft(NullTranslations):
    """The pseudo-locale: each English message, with each word rendered right to left."""

    def gettext(self, message: str) -> str:
        return _mirrored(message)

    def ngettext(self, one: str, many: str, count: int) -> str:
        return _mirrored(one if count == 1 else many)


def _mirrored(message: str) -> str:
    """Return `message` with right-to-left overrides around its words, but not its placeholders."""
    parts: Iterable[str] = re.split(r"(<[^>]*>|%\(\w+\)s|%%|\s+)", message)
    return "".join(
        f"\N{RIGHT-TO-LEFT OVERRIDE}{part}\N{POP DIRECTIONAL FORMATTING}"
        if index % 2 == 0 and part
        else part
        for index, part in enumerate(parts)
    )
