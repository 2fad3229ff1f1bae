"""The catalogues contain every text of the templates, translated into each language (P7)."""

import re
from collections.abc import Sequence
from pathlib import Path

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


def kept(text: str) -> tuple[list[str], list[str]]:
    """Return what a translation must keep: the tags in order, the placeholders in any order."""
    return TAG.findall(text), sorted(PLACEHOLDER.findall(TAG.sub("", text)))


def test_the_catalogue_is_up_to_date() -> None:
    """After a change of texts, run the commands in `docs/translating.md`."""
    options = {"**": {"trim_blocks": "true", "lstrip_blocks": "true"}}
    found = extract_from_dir(ROOT / "templates", [("**", "jinja2")], options)
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


def test_german_never_breaks_a_line_within_e_mail() -> None:
    """It is written with a non-breaking hyphen (U+2011), which looks like an ordinary one."""
    assert [text for m in read("de.po") for text in forms(m.string) if "E-Mail" in text] == []
