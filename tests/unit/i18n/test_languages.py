"""A page in the visitor's language: the choice, the direction of text, and dates (P7)."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from preference_center.i18n import Languages, direction

OVERRIDE, POP = "\N{RIGHT-TO-LEFT OVERRIDE}", "\N{POP DIRECTIONAL FORMATTING}"
APART, TOGETHER = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


def languages(tmp_path: Path, *offered: str, **templates: str) -> Languages:
    """Return languages with the given templates, each stored as `NAME.html`."""
    for name, text in templates.items():
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
    return Languages(offered or ("en", "ar-XB"), [tmp_path], {"brand": "Northwind"})


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (("ar-XB", "en"), "ar-XB"),
        ((None, None, "ar-XB"), "ar-XB"),
        (("xx", "ar-XB"), "ar-XB"),
        (("en-US",), "en"),
        (("", "EN", "de"), "en"),
        ((), "en"),
    ],
)
def test_the_first_wanted_language_that_is_offered_is_chosen(
    tmp_path: Path, wanted: tuple[str | None, ...], chosen: str
) -> None:
    assert languages(tmp_path).choose(*wanted) == chosen


def test_the_first_offered_language_is_the_default(tmp_path: Path) -> None:
    offered = languages(tmp_path, "ar-XB", "en")
    assert offered.choose("de", None) == "ar-XB"
    assert offered.choose("en-US") == "en"


def test_each_language_has_its_native_name(tmp_path: Path) -> None:
    assert languages(tmp_path).names() == [("en", "English", "ltr"), ("ar-XB", "العربية", "rtl")]


@pytest.mark.parametrize(
    ("code", "way"), [("en", "ltr"), ("ja", "ltr"), ("ar", "rtl"), ("ar-XB", "rtl")]
)
def test_a_language_has_a_direction(code: str, way: str) -> None:
    assert direction(code) == way


def test_rendering_one_language_does_not_affect_another(tmp_path: Path) -> None:
    both = languages(tmp_path, page="{% trans %}Undo{% endtrans %} {{ lang }} {{ dir }}")
    rendered = [both.render(code, "page.html") for code in ("en", "ar-XB", "en")]
    assert rendered == ["Undo en ltr", f"{OVERRIDE}Undo{POP} ar-XB rtl", "Undo en ltr"]


def test_the_mirrored_language_keeps_tags_and_values_unchanged(tmp_path: Path) -> None:
    text = '{% trans url="/a b", n=2 %}Go <a href="{{ url }}">up {{ n }}</a>%{% endtrans %}'
    page = languages(tmp_path, page=text).render("ar-XB", "page.html")
    assert '<a href="/a b">' in page
    assert re.sub(f"[{OVERRIDE}{POP}]", "", page) == 'Go <a href="/a b">up 2</a>%'


def test_the_mirrored_language_has_plurals(tmp_path: Path) -> None:
    text = "{% trans count=n %}{{ count }} day{% pluralize %}{{ count }} days{% endtrans %}"
    both = languages(tmp_path, page=text)
    assert both.render("ar-XB", "page.html", n=1) == f"1 {OVERRIDE}day{POP}"
    assert both.render("ar-XB", "page.html", n=2) == f"2 {OVERRIDE}days{POP}"


def test_dates_and_times_are_shown_in_utc(tmp_path: Path) -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=timezone(-timedelta(hours=2)))
    both = languages(tmp_path, page="{{ at|day }} · {{ at|moment }}")
    english = both.render("en", "page.html", at=late)
    assert english == "23\xa0November 2026 · 23\xa0November 2026, 01:30 UTC"
    assert "November" not in both.render("ar-XB", "page.html", at=datetime.now(UTC))


@pytest.mark.parametrize(
    ("zone", "code", "shown"),
    [
        ("Europe/Berlin", "en", "22\xa0November 2026, 23:30 CET"),
        ("Europe/Berlin", "de", "22.\xa0November 2026, 23:30 MEZ"),
        ("America/New_York", "en", "22\xa0November 2026, 17:30 EST"),
        ("Asia/Kathmandu", "de", "23.\xa0November 2026, 04:15 UTC+05:45"),
        ("America/Sao_Paulo", "en", "22\xa0November 2026, 19:30 UTC-03:00"),
        ("Europe/Berlin", "ar", "22\xa0نوفمبر 2026، 23:30 CET"),
        ("Europe/Warsaw", "pl", "22\xa0listopada 2026, 23:30 CET"),
        ("America/Sao_Paulo", "pt-BR", "22\xa0de novembro de 2026 19:30 BRT"),
        ("Europe/Istanbul", "tr", "23\xa0Kasım 2026 01:30 TSİ"),
    ],
)
def test_days_and_times_are_shown_in_a_zone(
    tmp_path: Path, zone: str, code: str, shown: str
) -> None:
    (tmp_path / "page.html").write_text("{{ at|moment }} {{ at|day }} {{ (at|local).day }}")
    at = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)
    page = Languages([code], [tmp_path], {}, ZoneInfo(zone)).render(code, "page.html", at=at)
    day = shown.partition("2026")[0] + "2026"
    assert page == f"{shown} {day} {int(day[:2])}"


def test_a_ukrainian_date_does_not_end_with_a_full_stop(tmp_path: Path) -> None:
    page = languages(tmp_path, "uk", page="{{ at|day }}.")
    at = datetime(2026, 11, 22, tzinfo=UTC)
    assert page.render("uk", "page.html", at=at) == "22\xa0листопада 2026 року."


def test_a_japanese_date_has_no_spaces(tmp_path: Path) -> None:
    page = languages(tmp_path, "ja", page="{{ at|day }}まで")
    at = datetime(2026, 11, 22, tzinfo=UTC)
    assert page.render("ja", "page.html", at=at) == "2026年11月22日まで"


@pytest.mark.parametrize(
    ("code", "line"),
    [("en", "登録。 <b>停止</b>。 It’s on."), ("ja", "登録。<b>停止</b>。It’s on.")],
)
def test_japanese_sentences_have_no_space_between_them(
    tmp_path: Path, code: str, line: str
) -> None:
    text = "{% filter sentences %}登録。\n  <b>停止</b>。 {{ rest }}\n{% endfilter %}"
    assert languages(tmp_path, code, page=text).render(code, "page.html", rest="It’s on.") == line


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("pt-BR", "pt-BR"), ("pt-br", "pt-BR"), ("pt-PT", "pt-BR"), ("pt", "pt-BR"), ("ptx", "en")],
)
def test_portuguese_of_any_country_is_that_of_brazil(
    tmp_path: Path, wanted: str, chosen: str
) -> None:
    assert languages(tmp_path, "en", "pt-BR").choose(wanted) == chosen


def test_a_language_is_preferred_to_its_variants(tmp_path: Path) -> None:
    assert languages(tmp_path, "ar-XB", "ar").choose("ar-EG") == "ar"
    assert languages(tmp_path, "ar", "ar-XB").choose("ar-XB") == "ar-XB"


def test_arabic_shows_times_with_its_own_comma_and_its_texts_digits(
    tmp_path: Path,
) -> None:
    text = "{{ at|moment }} {% trans %}A change can be undone for 30 days.{% endtrans %}"
    both = languages(tmp_path, "en", "ar", page=text)
    page = both.render("ar", "page.html", at=datetime(2026, 11, 22, 14, 5, tzinfo=UTC))
    assert page.startswith("22\xa0نوفمبر 2026، 14:05 UTC ")
    assert re.findall(r"\d+", page) == ["22", "2026", "14", "05", "30"]


def test_a_name_does_not_reorder_its_neighbours_in_right_to_left_text(
    tmp_path: Path,
) -> None:
    text = "{% trans topic=name %}Unsubscribe from {{ topic }}{% endtrans %}"
    both = languages(tmp_path, "en", "ar", page=text)
    assert f"«{APART}Deals!{TOGETHER}»" in both.render("ar", "page.html", name="Deals!")
    assert both.render("en", "page.html", name="Deals!") == "Unsubscribe from Deals!"


def test_a_url_in_an_attribute_is_unchanged(tmp_path: Path) -> None:
    text = '{% trans url="/join" %}You can <a href="{{ url }}">sign up again</a> at any time.'
    page = languages(tmp_path, "ar", page=f"{text}{{% endtrans %}}").render("ar", "page.html")
    assert '<a href="/join">' in page
    assert APART not in page


def test_a_name_on_its_own_line_follows_the_direction_of_the_page(tmp_path: Path) -> None:
    both = languages(tmp_path, "en", "ar", page="{{ name|isolate }}")
    mark = "\N{RIGHT-TO-LEFT MARK}"
    assert both.render("ar", "page.html", name="R&D") == f"{mark}{APART}R&amp;D{TOGETHER}"
    assert both.render("en", "page.html", name="R&D") == "R&amp;D"


@pytest.mark.parametrize("code", ["en", "ar-XB"])
def test_values_are_escaped_within_a_translated_text(tmp_path: Path, code: str) -> None:
    text = "{% trans topic=name %}Leave {{ topic }}{% endtrans %}"
    page = languages(tmp_path, page=text).render(code, "page.html", name="<b>&%(brand)s")
    assert Markup.escape("<b>&%(brand)s") in page


def test_a_template_with_an_unknown_variable_fails(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError):
        languages(tmp_path, page="{{ nothing }}").render("en", "page.html")


def test_the_first_folder_with_a_template_wins(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
        (folder / "page.html").write_text(folder.name)
    (ours / "other.html").write_text("ours alone")
    both = Languages(["en"], [theirs, ours], {})
    assert both.render("en", "page.html") == "theirs"
    assert both.render("en", "other.html") == "ours alone"
