"""The offered languages: a Jinja environment for pages and one for plain text in each of them."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from babel.numbers import format_decimal, format_percent
from jinja2 import Environment

from preference_center.i18n import brand, edited, texts
from preference_center.i18n.brand import NO_LANGUAGE
from preference_center.i18n.catalogue import Forms, Text, our_texts, own_texts, unused_files
from preference_center.i18n.edited import GOODBYE_NOTE, Message
from preference_center.i18n.environments import environment, extracting, messages
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

SECONDS_BETWEEN_LOOKS = 5  # for texts that were published
# Returns what was published after a publication: its number, the language, the English text, and
# the text in the language, or no forms if the standard text was put back.
Newer = Callable[[int], Sequence[tuple[int, str, Forms, Forms]]]
MAX_EARLIER = 10  # publications in a language before which forms may have been opened
# A page of figures has thousands of numbers and days, most of them several times.
_remembering = lru_cache(maxsize=10_000)
_NOTHING: Mapping[Forms, Forms] = {}
_Published = tuple[Mapping[Forms, Forms], Mapping[Forms, Forms]]  # in a language, and in none


class Languages:
    """The offered languages, of which the first is the default, and the templates in each.

    Days and times are shown in `zone`. Texts in `overrides` replace ours; raises TextsError if
    they cannot be used, and warns of those that no template has. Texts that were published replace
    both, 5 seconds later at most. `seconds` is a clock that only goes forward.
    """

    def __init__(
        self,
        offered: Sequence[str],
        folders: Sequence[Path],
        shared: Mapping[str, Any],
        zone: tzinfo = UTC,
        overrides: Path | None = None,
        newer: Newer = lambda _: (),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.offered = tuple(offered)
        self._by_tag = {_base(code): code for code in reversed(offered)}
        self._by_tag |= {code.lower(): code for code in offered}
        self._folders, self._shared, self._zone = folders, shared, zone
        self._own = own_texts(overrides, offered)
        self._published = dict[str, Mapping[Forms, Forms]]()  # by language and English text
        self._publication, self._newer, self._seconds = 0, newer, seconds
        self._earlier = dict[str, tuple[Languages, ...]]()  # by language, newest first
        self._looked_at, self._looking = float("-inf"), Lock()
        # Each with the texts that it was made with.
        self._environments = dict[tuple[str, bool], tuple[_Published, Environment]]()
        for path in unused_files(overrides, offered):
            log.warning("%s: is not the .po file of an offered language", path)
        if any(self._own.values()):
            self._warn_of_unknown_texts()

    @classmethod
    def of(cls, settings: Settings, newer: Newer = lambda _: ()) -> "Languages":
        """Return the languages of an installation.

        `newer` returns what was published after a publication, in all languages.
        """
        return cls(
            settings.languages,
            resources.folders("templates", settings.overrides_dir),
            settings.template_values(),
            settings.time_zone,
            settings.overrides_dir,
            newer,
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
        made = self._environment(code, escape=template.endswith(".html"))
        return made.get_template(template).render(**values)

    @property
    def messages(self) -> dict[str, Message]:
        """Return the texts of pages and emails that can be edited, by key."""
        return messages(tuple(self._folders))

    def current(self, code: str, english: Forms) -> Forms:
        """Return a text as it is shown: published, the operator's, ours or the English one."""
        return self._published.get(code, {}).get(english) or self.standard(code, english)

    def standard(self, code: str, english: Forms) -> Forms:
        """Return a text without what was published."""
        if english == GOODBYE_NOTE:
            notes = self._shared.get("goodbye_notes", {})
            return (notes.get(code) or notes.get("", ""),)
        ours = (*our_texts(code), *self._own.get(code, ()))
        return {each.english[0]: each.translated for each in ours}.get(english[0], english)

    def is_published(self, code: str, english: Forms) -> bool:
        """Return True if a published text replaces the standard one."""
        return bool(self._published.get(code, _NOTHING).get(english))

    def of_all(self, name: Forms) -> Forms:
        """Return what was published under a name for all languages, or no forms."""
        self._look()
        return self._published.get(NO_LANGUAGE, _NOTHING).get(name, ())

    def shared(self) -> Mapping[str, Any]:
        """Return the values that every template can use, with the brand as it is published."""
        self._look()
        return {**self._shared, **brand.values(self._published.get(NO_LANGUAGE, _NOTHING))}

    def without_edits(self) -> "Languages":
        """Return the same languages with the texts of the templates and our translations."""
        made = self._copy()
        made._own, made._published, made._environments = {}, {}, {}
        return made

    def earlier(self, code: str) -> "tuple[Languages, ...]":
        """Return the languages as they were before the last publications in one, newest first."""
        return self._earlier.get(code, ())

    def _copy(self) -> "Languages":
        """Return the same languages, which stay as they are."""
        made = copy(self)
        made._newer, made._earlier = lambda _: (), {}
        made._environments = dict(self._environments)
        return made

    def with_texts(self, code: str, replaced: Mapping[Forms, Forms]) -> "Languages":
        """Return the same languages with other texts in one of them, to preview drafts."""
        made = self._copy()
        made._published = {**self._published, code: {**self._published.get(code, {}), **replaced}}
        return made

    def refresh(self) -> None:
        """Show what was published since the last look. Only one thread looks."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._looked_at = self._seconds()
            for publication, code, english, forms in self._newer(self._publication):
                before = self._copy()
                self._earlier[code] = (before, *self.earlier(code))[:MAX_EARLIER]
                known = {**self._published.get(code, {}), english: forms}
                self._published = {**self._published, code: known}
                self._publication = publication
        finally:
            self._looking.release()

    def _look(self) -> None:
        if self._seconds() - self._looked_at >= SECONDS_BETWEEN_LOOKS:
            self.refresh()

    def _environment(self, code: str, *, escape: bool) -> Environment:
        """Return an environment, made on its first use: reading translations takes 40 ms."""
        self._look()
        known = self._published
        published = known.get(code, _NOTHING), known.get(NO_LANGUAGE, _NOTHING)
        made_with, found = self._environments.get((code, escape), (None, None))
        if found is None or made_with != published:
            found = self._made(code, published, escape=escape)
            self._environments[code, escape] = published, found
        return found

    def _made(self, code: str, published: _Published, *, escape: bool) -> Environment:
        edits, of_brand = published
        made, locale, zone = environment(self._folders, escape=escape), locale_of(code), self._zone
        texts_of_staff = (
            Text(english, forms, "", fuzzy=False)
            for english, forms in edits.items()
            if forms and english != GOODBYE_NOTE
        )
        own = (*self._own.get(code, ()), *edited.valid(texts_of_staff, code))
        translations = texts.load(code, own, html=escape)
        made.install_gettext_translations(  # type: ignore[attr-defined]
            translations, newstyle=True
        )
        made.filters["local"] = lambda at: _local(at, zone)
        made.filters["day"] = lambda at: day(_local(at, zone), locale)
        made.filters["date"] = lambda on: date_in_words(on, locale)
        made.filters["short_date"] = _remembering(lambda on: short_date(on, locale))
        made.filters["moment"] = lambda at: moment(_local(at, zone), locale)
        made.filters["sentences"] = lambda text: sentences(text, locale)
        made.filters["isolate"] = texts.isolate_line if direction(code) == "rtl" else str
        made.filters["number"] = _remembering(lambda number: format_decimal(number, locale=locale))
        made.filters["percent"] = lambda share: format_percent(share, locale=locale)
        made.globals.update({**self._shared, **brand.values(of_brand)})
        made.globals.update(lang=code, dir=direction(code), languages=self.names())
        if note := edits.get(GOODBYE_NOTE):
            made.globals["goodbye_notes"] = {code: note[0]}
        return made

    def _warn_of_unknown_texts(self) -> None:
        made = extracting(self._folders)
        found = edited.template_texts(made, made.list_templates())
        known = {english[0] for _, english in found}
        for text in (each for own in self._own.values() for each in own):
            english = text.english[0]
            if english not in known:
                near = get_close_matches(english, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                log.warning("%s: no template has the text %r%s", text.place, english, hint)


def _base(code: str) -> str:
    return code.lower().partition("-")[0]


def _local(at: datetime, zone: tzinfo) -> datetime:
    return at.astimezone(zone)
