"""Texts that members of staff edit: what each must keep, and how published ones reach a page."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from preference_center.i18n import Languages
from preference_center.i18n.brand import ACCENT, LOGO, NO_LANGUAGE
from preference_center.i18n.catalogue import Forms
from preference_center.i18n.edited import GOODBYE_NOTE, Message, plural_examples, tidy
from preference_center.i18n.languages import MAX_EARLIER, SECONDS_BETWEEN_LOOKS
from preference_center.util import resources

SIGN_UP = 'You can <a href="%(url)s">sign up again</a>, %(name)s.'
DAYS = ("%(count)s day", "%(count)s days")
PAGE = (
    "{% trans name=name %}Hello, {{ name }}.{% endtrans %}"
    "{% trans count=n %}{{ count }} day{% pluralize %}{{ count }} days{% endtrans %}"
    "|{{ accent.button if accent is defined }}{{ brand_logo }}"
    '|{{ goodbye_notes.get(lang) or goodbye_notes.get("", "") }}'
)
HELLO = ("Hello, %(name)s.",)


class Published:
    """What was published, and a clock that goes forward when a test says so."""

    def __init__(self) -> None:
        self.texts: list[tuple[int, str, Forms, Forms]] = []
        self.seconds = 0.0
        self.looks = 0

    def add(self, code: str, english: Forms, *forms: str) -> None:
        self.texts.append((len(self.texts) + 1, code, english, forms))

    def newer(self, publication: int) -> Sequence[tuple[int, str, Forms, Forms]]:
        self.looks += 1
        return [each for each in self.texts if each[0] > publication]


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def languages(tmp_path: Path, published: Published) -> Languages:
    for name in ("page.html", "page.txt"):
        (tmp_path / name).write_text(PAGE, "utf-8")
    (tmp_path / "translations").mkdir()
    own = 'msgid "Hello, %(name)s."\nmsgstr "Servus, %(name)s."\n'
    (tmp_path / "translations" / "de.po").write_text(own, "utf-8")
    return Languages(
        ("en", "de"),
        [tmp_path],
        {"goodbye_notes": {"": "Bye"}, "brand_logo": "logo"},
        overrides=tmp_path,
        newer=published.newer,
        seconds=lambda: published.seconds,
    )


def shown(languages: Languages, code: str = "de", ending: str = "html") -> str:
    return languages.render(code, f"page.{ending}", name="Ada", n=2)


@pytest.mark.parametrize(
    ("english", "form", "why"),
    [
        (SIGN_UP, "", "The text is empty."),
        (SIGN_UP, "%(who)s", "The text has %(who)s, which its English text has not."),
        (SIGN_UP, "100 %", "The text has a % that is not part of a placeholder; write %%."),
        (SIGN_UP, "x" * 1001, "The text has more than 1,000 characters."),
        (SIGN_UP, "a\x07", "The text has a control character."),
        (SIGN_UP, "Sign up", 'The text needs <a href="%(url)s"> as in its English text.'),
        (GOODBYE_NOTE[0], "x" * 301, "The text has more than 300 characters."),
        (SIGN_UP, '<a href="%(url)s">Jetzt</a>, 100 %% <b>', None),
        (GOODBYE_NOTE[0], "", None),
        (GOODBYE_NOTE[0], "100 % <b>", None),
    ],
)
def test_what_is_wrong_with_a_text_is_said(english: str, form: str, why: str | None) -> None:
    assert Message((english,)).problem(form) == why


def test_a_message_lists_what_it_may_and_must_contain() -> None:
    message = Message((SIGN_UP,))
    assert message.placeholders == ["%(name)s"]
    assert message.tags == ['<a href="%(url)s">', "</a>"]


def test_a_text_is_put_on_one_line_and_keeps_its_no_break_spaces() -> None:
    assert tidy(" a\r\n  b\u00a0c\u202f! ") == "a b\u00a0c\u202f!"


def test_each_plural_form_has_examples() -> None:
    assert plural_examples("de") == ["1", "0, 2, 3, 4 …"]
    assert len(plural_examples("ar")) == 6


def test_a_published_text_goes_before_the_operators_and_ours(
    languages: Languages, published: Published
) -> None:
    assert shown(languages).startswith("Servus, Ada.")
    published.add("de", HELLO, "Moin <b>%(name)s</b> {{ n }}")
    published.add("de", DAYS, "%(count)s Tag", "%(count)s Tage!")
    published.seconds += SECONDS_BETWEEN_LOOKS
    assert shown(languages).startswith("Moin &lt;b&gt;Ada&lt;/b&gt; {{ n }}2 Tage!")
    assert shown(languages, ending="txt").startswith("Moin <b>Ada</b> {{ n }}2 Tage!")
    assert shown(languages, "en").startswith("Hello, Ada.2 days")
    published.add("de", HELLO)  # The standard text is put back.
    published.seconds += SECONDS_BETWEEN_LOOKS
    assert shown(languages).startswith("Servus, Ada.")


def test_only_the_languages_concerned_are_made_again(
    languages: Languages, published: Published
) -> None:
    both = [shown(languages), shown(languages, "en")]
    kept = languages._environments["en", True][1]
    published.add("de", HELLO, "Moin")
    published.seconds += SECONDS_BETWEEN_LOOKS
    assert shown(languages) != both[0]
    assert shown(languages, "en") == both[1]
    assert languages._environments["en", True][1] is kept
    assert published.looks == 2


def test_the_goodbye_note_is_replaced_left_out_and_put_back(
    languages: Languages, published: Published
) -> None:
    for forms, note in ((("Tschüss <b>",), "Tschüss &lt;b&gt;"), (("",), ""), ((), "Bye")):
        published.add("de", GOODBYE_NOTE, *forms)
        published.seconds += SECONDS_BETWEEN_LOOKS
        assert shown(languages).endswith(f"|{note}")
        assert shown(languages, "en").endswith("|Bye")
        assert languages.current("de", GOODBYE_NOTE) == (forms or ("Bye",))


def test_the_brand_is_replaced_in_all_languages_and_put_back(
    languages: Languages, published: Published
) -> None:
    for colour, logo, expected in (
        (("#ffcc00",), (), "|#ffcc00logo|"),
        (("#ffcc00",), ("",), "|#ffcc00|"),
        ((), (), "|logo|"),
    ):
        published.add(NO_LANGUAGE, ACCENT, *colour)
        published.add(NO_LANGUAGE, LOGO, *logo)
        published.seconds += SECONDS_BETWEEN_LOOKS
        for code, ending in (("de", "html"), ("en", "txt")):
            assert expected in shown(languages, code, ending)


def test_a_text_that_no_longer_fits_is_left_out(languages: Languages, published: Published) -> None:
    published.add("de", DAYS, "only one form")
    published.add("de", HELLO, "100 %")
    assert shown(languages).startswith("Servus, Ada.2 days")


def test_the_texts_before_the_last_publications_are_known(
    languages: Languages, published: Published
) -> None:
    for text in ("Eins", "Zwei"):
        published.add("de", HELLO, text)
    assert shown(languages).startswith("Zwei")
    texts = [shown(each).partition("2")[0] for each in languages.earlier("de")]
    assert texts == ["Eins", "Servus, Ada."]
    assert languages.earlier("en") == ()
    for number in range(2 * MAX_EARLIER):
        published.add("de", HELLO, f"Text {number}")
    languages.refresh()
    assert len(languages.earlier("de")) == MAX_EARLIER


def test_a_preview_has_other_texts_and_changes_nothing(
    languages: Languages, published: Published
) -> None:
    published.add("de", DAYS, "%(count)s Tag", "%(count)s Tage!")
    shown(languages)
    preview = languages.with_texts("de", {HELLO: ("Entwurf",)})
    assert shown(preview).startswith("Entwurf2 Tage!")
    assert shown(languages).startswith("Servus, Ada.2 Tage!")


def test_texts_of_pages_and_emails_can_be_edited_and_those_of_the_console_not() -> None:
    found = Languages(("en",), resources.folders("templates", None), {}).messages.values()
    folders = {template.partition("/")[0] for each in found for template in each.templates}
    assert folders == {"subscriber", "mail", "errors", "parts.html", "held.html"}
    assert all(each.problem(form) is None for each in found for form in each.english)
