"""The offered languages: a Jinja environment for pages and one for plain text in each of them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from babel.numbers import format_decimal, format_percent
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateSyntaxError,
    select_autoescape,
)

from preference_center.i18n import texts
from preference_center.i18n.catalogue import own_texts, unused_files
from preference_center.i18n.locales import (
    date_in_words,
    day,
    direction,
    locale_of,
    moment,
    name_of,
    sentences,
    short_date,
)
from preference_center.settings.settings import Settings
from preference_center.util import resources

log = logging.getLogger(__name__)


class Languages:
    """The offered languages, of which the first is the default, and the templates in each.

    Days and times are shown in `zone`. Texts in `overrides` replace ours; raises TextsError if
    they cannot be used, and warns of those that no template has.
    """

    def __init__(
        self,
        offered: Sequence[str],
        folders: Sequence[Path],
        shared: Mapping[str, Any],
        zone: tzinfo = UTC,
        overrides: Path | None = None,
    ) -> None:
        self.offered = tuple(offered)
        self._by_tag = {_base(code): code for code in reversed(offered)}
        self._by_tag |= {code.lower(): code for code in offered}
        self._folders, self._shared, self._zone = folders, shared, zone
        self._own = own_texts(overrides, offered)
        self._environments = dict[tuple[str, bool], Environment]()
        for path in unused_files(overrides, offered):
            log.warning("%s: is not the .po file of an offered language", path)
        if any(self._own.values()):
            self._warn_of_unknown_texts()

    @classmethod
    def of(cls, settings: Settings, **shared: object) -> "Languages":
        """Return the languages of an installation. Every template can use `shared`, too."""
        return cls(
            settings.languages,
            resources.folders("templates", settings.overrides_dir),
            {**settings.template_values(), **shared},
            settings.time_zone,
            settings.overrides_dir,
        )

    def choose(self, *wanted: str | None) -> str:
        """Return the first code of `wanted` that is offered, or the default.

        A code like `de-AT` also matches `de`, and `pt` or `pt-PT` matches `pt-BR`.
        """
        for tag in (code.lower() for code in filter(None, wanted)):
            found = self._by_tag.get(tag) or self._by_tag.get(_base(tag))
            if found:
                return found
        return self.offered[0]

    def names(self) -> list[tuple[str, str, str]]:
        """Return (code, name in its own language, direction) of each offered language."""
        return [(code, name_of(code), direction(code)) for code in self.offered]

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
            found = self._environments[code, escape] = self._made(code, escape=escape)
        return found

    def _made(self, code: str, *, escape: bool) -> Environment:
        made, locale, zone = _environment(self._folders, escape=escape), locale_of(code), self._zone
        translations = texts.load(code, self._own.get(code, ()), html=escape)
        made.install_gettext_translations(  # type: ignore[attr-defined]
            translations, newstyle=True
        )
        made.filters["local"] = lambda at: _local(at, zone)
        made.filters["day"] = lambda at: day(_local(at, zone), locale)
        made.filters["date"] = lambda on: date_in_words(on, locale)
        made.filters["short_date"] = lambda on: short_date(on, locale)
        made.filters["moment"] = lambda at: moment(_local(at, zone), locale)
        made.filters["sentences"] = lambda text: sentences(text, locale)
        made.filters["isolate"] = texts.isolate_line if direction(code) == "rtl" else str
        made.filters["number"] = lambda number: format_decimal(number, locale=locale)
        made.filters["percent"] = lambda share: format_percent(share, locale=locale)
        made.globals.update(self._shared)
        made.globals.update(lang=code, dir=direction(code), languages=self.names())
        return made

    def _warn_of_unknown_texts(self) -> None:
        known = set(_template_texts(self._folders))
        for text in (each for found in self._own.values() for each in found):
            english = text.english[0]
            if english not in known:
                near = get_close_matches(english, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                log.warning("%s: no template has the text %r%s", text.place, english, hint)


def _base(code: str) -> str:
    return code.lower().partition("-")[0]


def _local(at: datetime, zone: tzinfo) -> datetime:
    return at.astimezone(zone)


def _environment(folders: Sequence[Path], *, escape: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=select_autoescape(["html"] if escape else []),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _template_texts(folders: Sequence[Path]) -> Iterator[str]:
    """Yield the English texts of all templates; of a text with plural forms, the first."""
    environment, loader = _environment(folders, escape=True), FileSystemLoader(folders)
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    for name in loader.list_templates():
        if not name.endswith((".html", ".txt")):
            continue
        with suppress(TemplateSyntaxError, UnicodeDecodeError):  # Rendering will report it.
            source, *_ = loader.get_source(environment, name)
            for _, _, message in environment.extract_translations(source):  # type: ignore[attr-defined]
                yield message if isinstance(message, str) else message[0]
