"""The texts of one language, as Jinja's `trans` asks for them.

Jinja takes a translation for HTML that is safe. Here its plain parts are escaped for pages, once,
when the language is loaded; only the tags of the English text remain.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from gettext import NullTranslations, c2py
from html import escape

from babel.messages import Catalog

from preference_center.i18n.catalogue import PLACEHOLDER, Forms, Text, our_texts, split
from preference_center.i18n.locales import direction, locale_of
from preference_center.settings.reader import PSEUDO

Rewrite = Callable[[str], str]


class Texts(NullTranslations):
    """Translations by their English text; `rewrite` is applied to a text that has none."""

    def __init__(
        self, translated: Mapping[str, Forms], plural: Callable[[int], int], rewrite: Rewrite
    ) -> None:
        super().__init__()
        self._translated, self._plural, self._rewrite = translated, plural, rewrite

    def gettext(self, message: str) -> str:
        """Return the translation of a text."""
        found = self._translated.get(message)
        return found[0] if found is not None else self._english(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the translation of a text in the plural form for a number."""
        found = self._translated.get(msgid1)
        if found is not None:
            return found[self._plural(n)]
        return self._english(msgid1 if n == 1 else msgid2)

    def _english(self, message: str) -> str:
        return _joined(split(message), self._rewrite)


def load(code: str, own: Iterable[Text], *, html: bool) -> Texts:
    """Return the texts of a language, of which the operator's `own` replace ours."""
    translated = _ours(code, html=html) | _translated(own, _change(code, html=html))
    plural = c2py(Catalog(locale=locale_of(code)).plural_expr)
    return Texts(translated, plural, _mirrored if code == PSEUDO else _isolate_in(code))


@cache
def _ours(code: str, *, html: bool) -> dict[str, Forms]:
    return _translated(our_texts(code), _change(code, html=html))


def _translated(texts: Iterable[Text], change: Rewrite) -> dict[str, Forms]:
    return {
        text.english[0]: tuple(_joined(text.pieces(form), change) for form in text.translated)
        for text in texts
    }


def _change(code: str, *, html: bool) -> Rewrite:
    isolated = _isolate_in(code)
    return (lambda plain: isolated(escape(plain))) if html else isolated


def _isolate_in(code: str) -> Rewrite:
    return isolate_values if direction(code) == "rtl" else str


def _joined(pieces: Iterable[tuple[str, str]], change: Rewrite) -> str:
    return "".join(change(plain) + tag for plain, tag in pieces)


def isolate_values(plain: str) -> str:
    """Isolate each value, so that a Latin name does not reorder its neighbours.

    Unicode's MessageFormat 2 does the same. Values in HTML attributes are not isolated.
    """
    return PLACEHOLDER.sub(lambda value: _isolate(value[0]), plain)


def isolate_line(name: str) -> str:
    """Isolate a name on a line of its own."""
    # In plain text, the mark makes the direction of the line right-to-left.
    return f"\N{RIGHT-TO-LEFT MARK}{_isolate(name)}"


def _isolate(text: str) -> str:
    return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"


def _mirrored(plain: str) -> str:
    """Return the pseudo-locale's text: right-to-left overrides around words, not placeholders."""
    parts = re.split(r"(%\(\w+\)s|%%|\s+)", plain)
    return "".join(
        f"\N{RIGHT-TO-LEFT OVERRIDE}{part}\N{POP DIRECTIONAL FORMATTING}"
        if index % 2 == 0 and part
        else part
        for index, part in enumerate(parts)
    )
