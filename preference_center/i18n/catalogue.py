"""Read translations, ours and the operator's, from .po files, and check each of them.

A translation is plain text with the placeholders and the tags of its English text. It must have
the same tags in the same order; whatever else looks like a tag is text, and is escaped on a page.
"""

import codecs
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import PoFileError, read_po

from preference_center.i18n.locales import SOURCE, locale_of
from preference_center.settings.reader import PSEUDO

PLACEHOLDER = re.compile(r"%\(\w+\)s")
TAG = re.compile(r"<[^>]*>")
Forms = tuple[str, ...]

_TRANSLATIONS = Path(__file__).parents[1] / "translations"
_LINE = re.compile(
    r'\s*(#.*|((msgctxt|msgid|msgid_plural|msgstr(\[\d\])?)\s*)?"(\\.|[^"\\])*"\s*)?'
)


class TextsError(Exception):
    """Some .po files cannot be used; `problems` has a sentence for each fault."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Text:
    """A text in English and in a language: one form of each, or all plural forms."""

    english: Forms
    translated: Forms
    place: str  # The file and the line.
    fuzzy: bool

    def pieces(self, translated: str) -> list[tuple[str, str]]:
        """Return each plain part of a translation with the tag after it, "" after the last.

        Raises ValueError if the translation does not fit the English text.
        """
        if unknown := set(PLACEHOLDER.findall(translated)) - {
            each for text in self.english for each in PLACEHOLDER.findall(text)
        }:
            raise ValueError(f"has {' '.join(sorted(unknown))}, which its English text has not")
        if "%" in PLACEHOLDER.sub("", translated).replace("%%", ""):
            raise ValueError("has a % that is not part of a placeholder; write %%")
        return split(translated, TAG.findall(self.english[0]))

    def problem(self, plural_forms: int) -> str | None:
        """Return what is wrong with the translation, or None."""
        needed = plural_forms if len(self.english) > 1 else 1
        if self.fuzzy:
            return f"{self.place}: is marked as fuzzy; check it and remove the mark."
        if len(self.translated) != needed or not all(each.strip() for each in self.translated):
            forms = f"all {needed} plural forms" if needed > 1 else "one text, which is not empty"
            return f"{self.place}: needs {forms}."
        try:
            for each in self.translated:
                self.pieces(each)
        except ValueError as error:
            return f"{self.place}: the translation of {self.english[0]!r} {error}."
        return None


def split(text: str, tags: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """Return each plain part of a text with the tag after it: `tags`, by default its own.

    Raises ValueError if a tag is missing.
    """
    parts = []
    for tag in TAG.findall(text) if tags is None else tags:
        plain, found, text = text.partition(tag)
        if not found:
            raise ValueError(f"needs {tag} as in its English text")
        parts.append((plain, tag))
    return [*parts, (text, "")]


@cache  # A language has two environments.
def our_texts(code: str) -> tuple[Text, ...]:
    """Return our translations into a language."""
    return () if code in (SOURCE, PSEUDO) else _read(_TRANSLATIONS / f"{code}.po", code)


def own_texts(overrides: Path | None, languages: Iterable[str]) -> dict[str, tuple[Text, ...]]:
    """Return the operator's translations in `overrides` by language, or raise TextsError.

    Those into English replace the English text.
    """
    if overrides is None:
        return {}
    found, problems = {}, list[str]()
    for code in languages:
        path = overrides / "translations" / f"{code}.po"
        try:
            found[code] = _read(path, code) if path.is_file() else ()
        except TextsError as error:
            problems.extend(error.problems)
    if problems:
        raise TextsError(problems)
    return found


def unused_files(overrides: Path | None, languages: Iterable[str]) -> list[Path]:
    """Return the operator's files that `own_texts` does not read."""
    used = {f"{code}.po" for code in languages}
    files = (overrides / "translations").glob("*") if overrides is not None else ()
    return sorted(path for path in files if path.name not in used)


def _read(path: Path, code: str) -> tuple[Text, ...]:
    """Return the texts in a file that are translated, or raise TextsError."""
    locale = locale_of(code)
    try:
        catalogue = read_po(_lines(path), locale=locale, abort_invalid=True)
    except PoFileError as error:
        why = str(error).rpartition(" on ")[0]  # Babel counts lines from 0.
        raise TextsError([f"{path}:{error.lineno + 1}: {why}."]) from None
    except ValueError as error:
        raise TextsError([f"{path}: {error}."]) from None
    if not _is_utf8(catalogue.charset):
        raise TextsError([f"{path}: has the charset {catalogue.charset!r}; save it as UTF-8."])
    texts = [
        Text(_forms(each.id), _forms(each.string), f"{path}:{each.lineno}", each.fuzzy)
        for each in catalogue
        if each.id and any(_forms(each.string))
    ]
    plural_forms = Catalog(locale=locale).num_plurals
    if problems := [each for text in texts if (each := text.problem(plural_forms))]:
        raise TextsError(problems)
    return tuple(texts)


def _is_utf8(charset: str) -> bool:
    """Return True if a charset is UTF-8, or ASCII, which UTF-8 contains."""
    try:
        return codecs.lookup(charset).name in ("utf-8", "ascii")
    except LookupError:
        return False


def _lines(path: Path) -> list[str]:
    """Return the lines of a .po file. Babel would overlook quotation marks that are misplaced."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        at = error.object.count(b"\n", 0, error.start) + 1
        raise TextsError([f"{path}:{at}: is not UTF-8."]) from None
    for number, line in enumerate(lines, 1):
        if not _LINE.fullmatch(line):
            raise TextsError([f"{path}:{number}: is not a line of a .po file."])
    return lines


def _forms(text: str | Sequence[str] | None) -> Forms:
    return (text,) if isinstance(text, str) else tuple(text or ())
