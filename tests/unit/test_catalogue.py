"""The catalogues contain every text of the templates, translated into each language (P7)."""

import re
from collections.abc import Sequence
from pathlib import Path
from unicodedata import east_asian_width

import pytest
from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from preference_center.i18n import SOURCE
from preference_center.settings.reader import LANGUAGES

ROOT = Path(__file__).parents[2]
TRANSLATIONS = ROOT / "preference_center" / "translations"
TRANSLATED = [code for code in LANGUAGES if code != SOURCE]
TAG = re.compile(r"<[^>]*>")
PLACEHOLDER = re.compile(r"%(?:\(\w+\)s|.?)")  # or a percent sign that breaks formatting
BREAKABLE_EMAIL = re.compile(r"\be-(?:mail|posta)", re.IGNORECASE)

# How wide a text may be: that of the English one times a factor, and 12 Latin letters more.
FACTOR = {
    "ar": 1.6,
    "de": 2.0,
    "es": 1.6,
    "fr": 2.3,
    "it": 2.2,
    "ja": 2.0,
    "nl": 2.1,
    "pl": 2.4,
    "pt-BR": 1.9,
    "tr": 2.2,
    "uk": 2.1,
}
MORE = 12
LONGER = {"Check your email to start %(topic)s. We’ve sent a link."}  # German; on its own line


def read(file: str, locale: str | None = None) -> Catalog:
    with (TRANSLATIONS / file).open("rb") as opened:
        return read_po(opened, locale=locale)


@pytest.fixture(params=TRANSLATED)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    """Return the catalogue of each language in turn."""
    code = str(request.param)
    return read(f"{code}.po", code.replace("-", "_"))


def messages(texts: Catalog) -> list[Message]:
    return [message for message in texts if message.id]


def keys(texts: Catalog) -> set[tuple[object, object]]:
    return {(message.context, message.id) for message in messages(texts)}


def forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the text, or one text per plural form."""
    return (text,) if isinstance(text, str) else tuple(text or ())


def words(text: str) -> str:
    """Return a text without tags and placeholders."""
    return PLACEHOLDER.sub("", TAG.sub("", text))


def width(text: str) -> int:
    """Return the width in Latin letters; a Japanese character is twice as wide."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in words(text))


def kept(text: str) -> tuple[list[str], list[str]]:
    """Return what a translation must keep: the tags in order, the placeholders in any order."""
    return TAG.findall(text), sorted(PLACEHOLDER.findall(TAG.sub("", text)))


def test_the_catalogue_is_up_to_date() -> None:
    """After a change of texts, run the commands in `docs/translating.md`."""
    options = {"**": {"trim_blocks": "true", "lstrip_blocks": "true"}}
    methods = [("console/**", "ignore"), ("**", "jinja2")]  # The console is in English.
    found = extract_from_dir(ROOT / "templates", methods, options)
    assert {(context, message) for _, _, message, _, context in found} == keys(read("messages.pot"))


def test_languages_and_catalogues_match() -> None:
    assert {path.stem for path in TRANSLATIONS.glob("*.po")} == set(TRANSLATED)


def test_a_language_has_exactly_the_current_texts(catalogue: Catalog) -> None:
    """After a change of texts, run the commands in `docs/translating.md`."""
    assert keys(catalogue) == keys(read("messages.pot"))
    assert not catalogue.obsolete


def test_every_text_is_translated_in_each_plural_form(catalogue: Catalog) -> None:
    for message in messages(catalogue):
        translated = forms(message.string)
        assert all(text.strip() for text in translated), message.id
        assert len(translated) == (catalogue.num_plurals if message.pluralizable else 1), message.id


def test_no_translation_is_fuzzy(catalogue: Catalog) -> None:
    """Fuzzy translations are ignored at startup."""
    assert [message.id for message in messages(catalogue) if message.fuzzy] == []


def test_placeholders_and_tags_survive_translation(catalogue: Catalog) -> None:
    for message in messages(catalogue):
        english = [kept(text) for text in forms(message.id)]
        for text in forms(message.string):
            assert kept(text) in english, message.id


def test_no_sentence_is_left_in_english(catalogue: Catalog) -> None:
    """Short texts can be the same, like “Demo”."""
    for message in messages(catalogue):
        for text in forms(message.string):
            assert text not in forms(message.id) or len(re.findall(r"\w+", words(text))) < 3, text


@pytest.mark.parametrize("code", TRANSLATED)
def test_no_text_is_much_longer_than_in_english(code: str) -> None:
    for message in messages(read(f"{code}.po", code.replace("-", "_"))):
        limit = max(map(width, forms(message.id))) * FACTOR[code] + MORE
        too_long = [text for text in forms(message.string) if width(text) > limit]
        assert not too_long or message.id in LONGER, message.id


def test_quotation_marks_and_apostrophes_are_typographic(catalogue: Catalog) -> None:
    translated = [TAG.sub("", text) for m in messages(catalogue) for text in forms(m.string)]
    assert [text for text in translated if '"' in text or "'" in text] == []


def test_no_line_ends_within_e_mail(catalogue: Catalog) -> None:
    """It is written with a non-breaking hyphen (U+2011), which looks like an ordinary one."""
    translated = [text for m in messages(catalogue) for text in forms(m.string)]
    assert list(filter(BREAKABLE_EMAIL.search, translated)) == []
