"""An operator's own texts replace ours, and neither theirs nor ours can add HTML to a page."""

from pathlib import Path

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.cli.texts import check_texts
from preference_center.i18n import Languages, TextsError, own_texts
from preference_center.i18n.catalogue import Text, our_texts
from preference_center.i18n.texts import load
from preference_center.settings.reader import LANGUAGES
from tests.support import command, make

SIGN_UP = 'You can <a href="%(url)s">sign up again</a> at any time.'
PAGE = (
    '{% trans url=url %}You can <a href="{{ url }}">sign up again</a> at any time.{% endtrans %}'
    "{% trans topic=topic %}Thank you for reading {{ topic }}.{% endtrans %}"
    "{% trans count=n %}{{ count }} day{% pluralize %}{{ count }} days{% endtrans %}"
)
VALUES = {"url": "https://example.org/?a=1&b=2", "topic": "<i>News</i>", "n": 2}


def po(english: str, translated: str) -> str:
    """Return an entry of a .po file."""
    texts = (text.replace("\\", "\\\\").replace('"', '\\"') for text in (english, translated))
    return 'msgid "{}"\nmsgstr "{}"\n\n'.format(*texts)


def written(folder: Path, content: str | bytes, code: str = "en") -> Path:
    """Write a .po file into a folder of overrides, and return that folder."""
    path = folder / "translations" / f"{code}.po"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def languages(folder: Path, page: str = PAGE) -> Languages:
    for name in ("page.html", "page.txt"):
        (folder / name).write_text(page, encoding="utf-8")
    return Languages(("en", "de", "ar"), [folder], {"brand": "B"}, overrides=folder)


def faults(folder: Path) -> list[str]:
    """Return what is wrong with the texts in a folder, without the path of the folder."""
    with pytest.raises(TextsError) as caught:
        own_texts(folder, ("en", "de", "ar"))
    return [each.removeprefix(f"{folder}/translations/") for each in caught.value.problems]


def test_an_own_text_replaces_the_english_text_and_each_translation(tmp_path: Path) -> None:
    for code, text in (("en", "Thanks for %(topic)s!"), ("de", "Danke für %(topic)s!")):
        written(tmp_path, po("Thank you for reading %(topic)s.", text), code)
    both = languages(tmp_path)
    assert both.render("en", "page.txt", **VALUES).endswith("Thanks for <i>News</i>!2 days")
    assert "Danke für &lt;i&gt;News&lt;/i&gt;!" in both.render("de", "page.html", **VALUES)
    assert '<a href="https://example.org/?a=1&amp;b=2">' in both.render("de", "page.html", **VALUES)


def test_an_own_text_replaces_every_plural_form(tmp_path: Path) -> None:
    entry = 'msgid "%(count)s day"\nmsgid_plural "%(count)s days"\n'
    written(tmp_path, entry + 'msgstr[0] "a day"\nmsgstr[1] "%(count)s whole days"\n')
    both = languages(tmp_path)
    assert both.render("en", "page.txt", **{**VALUES, "n": 1}).endswith("a day")
    assert both.render("en", "page.txt", **VALUES).endswith("2 whole days")


def test_a_text_in_arabic_isolates_values_only_outside_tags(tmp_path: Path) -> None:
    written(tmp_path, po(SIGN_UP, 'هنا "%(url)s" <a href="%(url)s">x</a>'), "ar")
    page = languages(tmp_path).render("ar", "page.html", **VALUES)
    url = "https://example.org/?a=1&amp;b=2"
    isolated = f"\N{FIRST STRONG ISOLATE}{url}\N{POP DIRECTIONAL ISOLATE}"
    assert f'هنا &quot;{isolated}&quot; <a href="{url}">x</a>' in page


@pytest.mark.parametrize(
    "hostile",
    [
        "<form action='https://example.net'><input name=card></form>",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)">here</a>',
        "</a><a href=https://example.net>",
        '" onmouseover="alert(1)',
        "&lt;b&gt; &amp; <",
        "<!-- ",
    ],
)
@pytest.mark.parametrize("code", ["en", "de", "ar"])
def test_a_hostile_text_is_only_text(tmp_path: Path, code: str, hostile: str) -> None:
    texts = po(SIGN_UP, f'{hostile} <a href="%(url)s">go</a> {hostile}')
    written(tmp_path, texts + po("Thank you for reading %(topic)s.", f"{hostile} %(topic)s"), code)
    page = languages(tmp_path).render(code, "page.html", **VALUES)
    tree = html5lib.parseFragment(page, namespaceHTMLElements=False)
    assert [(each.tag, dict(each.attrib)) for each in tree.iter()][1:] == [
        ("a", {"href": VALUES["url"]})
    ]
    assert "".join(tree.itertext()).count(hostile) == 3


@given(st.text("<>/\"'&;= -!?#abhref"), st.text("<>/\"'&;= -!?#abhref"))
def test_no_text_adds_an_element_or_an_attribute(before: str, within: str) -> None:
    form = f'{before}<a href="%(url)s">{within}</a>'
    found = load("en", [Text((SIGN_UP,), (form,), "en.po:1", fuzzy=False)], html=True)
    tree = html5lib.parseFragment(found.gettext(SIGN_UP), namespaceHTMLElements=False)
    assert [(each.tag, dict(each.attrib)) for each in tree.iter()][1:] == [
        ("a", {"href": "%(url)s"})
    ]
    assert "".join(tree.itertext()) == before + within


def test_a_hostile_text_stays_within_an_attribute(tmp_path: Path) -> None:
    written(tmp_path, po("Language", '"><script>alert(1)</script>'))
    page = languages(tmp_path, '<p title="{% trans %}Language{% endtrans %}">').render(
        "en", "page.html"
    )
    tree = html5lib.parseFragment(page, namespaceHTMLElements=False)
    assert [(each.tag, dict(each.attrib)) for each in tree.iter()][1:] == [
        ("p", {"title": '"><script>alert(1)</script>'})
    ]


def test_a_plain_text_template_escapes_nothing(tmp_path: Path) -> None:
    written(tmp_path, po("Thank you for reading %(topic)s.", 'Tom & "Jerry" <3 %(topic)s'))
    assert 'Tom & "Jerry" <3 <i>News</i>' in languages(tmp_path).render("en", "page.txt", **VALUES)


def test_a_text_may_leave_out_a_placeholder(tmp_path: Path) -> None:
    written(tmp_path, po("Thank you for reading %(topic)s.", "Thank you. 100 %% of us mean it."))
    assert "Thank you. 100 % of us" in languages(tmp_path).render("en", "page.html", **VALUES)


@pytest.mark.parametrize(
    ("translated", "fault"),
    [
        ("You can sign up again.", 'needs <a href="%(url)s"> as in its English text'),
        ('<a href="%(url)s">again', "needs </a> as in its English text"),
        ('</a><a href="%(url)s">', "needs </a> as in its English text"),
        ('<a href="javascript:x">x</a>', 'needs <a href="%(url)s"> as in its English text'),
        ('<a title="x" href="%(url)s">x</a>', 'needs <a href="%(url)s"> as in its English text'),
        (
            '<a href="%(url)s" title="%(brand)s">x</a>',
            "has %(brand)s, which its English text has not",
        ),
        ('<a href="%(url)s">%(ulr)s</a>', "has %(ulr)s, which its English text has not"),
        ('<a href="%(url)s">100 %</a>', "has a % that is not part of a placeholder; write %%"),
        ('<a href="%(url)s">%(url)</a>', "has a % that is not part of a placeholder; write %%"),
        ('<a href="%(url)s">%s</a>', "has a % that is not part of a placeholder; write %%"),
    ],
)
def test_a_text_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, translated: str, fault: str
) -> None:
    written(tmp_path, po("Undo", "Undo that") + po(SIGN_UP, translated), "de")
    assert faults(tmp_path) == [f"de.po:4: the translation of {SIGN_UP!r} {fault}."]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("# ours\n\nUndo: go back\n", "en.po:3: is not a line of a .po file."),
        ('msgid "Undo"\nmsgstr "Back\n', "en.po:2: is not a line of a .po file."),
        ('msgid "Undo"\nmsgstr "Back" now\n', "en.po:2: is not a line of a .po file."),
        ('msgid "Undo"\nmsgstr "Say "no""\n', "en.po:2: is not a line of a .po file."),
        ("<<<<<<< HEAD\n", "en.po:1: is not a line of a .po file."),
        ("\0\1\2", "en.po:1: is not a line of a .po file."),
        ('\nmsgid "Undo"\n', "en.po:2: missing msgstr for msgid 'Undo'."),
        ('msgid "A"\nmsgstr "Gr\xfc\xdfe"\n'.encode("latin-1"), "en.po:2: is not UTF-8."),
        (
            'msgid "1 day"\nmsgid_plural "days"\nmsgstr[0] "x"\n',
            "en.po:1: needs all 2 plural forms.",
        ),
        (
            'msgid "1 day"\nmsgid_plural "days"\nmsgstr[0] "x"\nmsgstr[2] "y"\n',
            "en.po:1: msg has more translations than num_plurals of catalog.",
        ),
        (
            '#, fuzzy\nmsgid "Undo"\nmsgstr "Back"\n',
            "en.po:2: is marked as fuzzy; check it and remove the mark.",
        ),
        (
            'msgid ""\nmsgstr "POT-Creation-Date: soon\\n"\n\nmsgid "A"\nmsgstr "B"\n',
            "en.po: time data 'soon' does not match format '%Y-%m-%d %H:%M'.",
        ),
        *(
            (
                f'msgid ""\nmsgstr "Content-Type: text/plain; charset={charset}\\n"\n',
                f"en.po: has the charset '{charset}'; save it as UTF-8.",
            )
            for charset in ("klingon", "iso-8859-1")
        ),
    ],
)
def test_a_broken_file_is_refused_with_the_line(
    tmp_path: Path, content: str | bytes, fault: str
) -> None:
    assert faults(written(tmp_path, content)) == [fault]


def test_every_fault_of_every_file_is_named(tmp_path: Path) -> None:
    written(tmp_path, po("Undo", "%(x)s") + po("Save", "%(y)s"), "en")
    written(tmp_path, "rubbish", "de")
    assert [each.partition(":")[0] for each in faults(tmp_path)] == ["en.po", "en.po", "de.po"]


def test_a_file_of_an_editor_can_be_used(tmp_path: Path) -> None:
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    empty = po("Thank you for reading %(topic)s.", "")
    content = f'\ufeff{header}{empty}#~ msgid "Old"\n#~ msgstr "Older"\n'.replace("\n", "\r\n")
    written(tmp_path, content)
    assert "Thank you for reading" in languages(tmp_path).render("en", "page.html", **VALUES)


def test_a_text_that_no_template_has_is_named_at_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path, po(SIGN_UP, SIGN_UP) + po("Thank you for reading %(topics)s.", "Thanks"))
    languages(tmp_path)
    assert [each.getMessage() for each in caplog.records] == [
        f"{tmp_path}/translations/en.po:4: no template has the text "
        "'Thank you for reading %(topics)s.'; did you mean 'Thank you for reading %(topic)s.'?"
    ]


def test_a_file_of_no_offered_language_is_named_at_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for code in ("fr", "DE"):
        written(tmp_path, po("Undo", "Défaire"), code)
    languages(tmp_path)
    assert [each.getMessage() for each in caplog.records] == [
        f"{tmp_path}/translations/{code}.po: is not the .po file of an offered language"
        for code in ("DE", "fr")
    ]


@pytest.mark.parametrize("code", LANGUAGES)
def test_our_own_texts_fit(code: str) -> None:
    assert all(text.translated for text in our_texts(code))


@pytest.mark.parametrize("name", ["serve", "worker"])
def test_a_command_names_a_fault_and_exits(tmp_path: Path, database_url: str, name: str) -> None:
    written(tmp_path, "rubbish", "de")
    settings = {"SMTP_URL": "smtp://localhost", "MAIL_FROM": "letters@example.org"}
    result = command.run(database_url, name, OVERRIDES_DIR=str(tmp_path), **settings)
    assert result.exit_code == 2
    assert f"{tmp_path}/translations/de.po:1: is not a line of a .po file." in result.output


def test_texts_without_a_fault_pass(tmp_path: Path) -> None:
    written(tmp_path, po("Undo", "Back"))
    check_texts(make.settings(overrides_dir=tmp_path))
