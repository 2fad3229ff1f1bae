"""The accessibility statement claims what our tests show, and what the settings say (P4)."""

from datetime import date
from pathlib import Path

import pytest

from tests.support.page import BRAND
from tests.support.site import Site, link, lose_database
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

PATH = "/accessibility"
AUTHORITIES = (("Office <A> & B", "https://example.org/a?b&c"), ("Amt", "https://example.org/d"))
NOT_SAID = (
    "We have not reviewed this statement ourselves yet.",
    "We have not named a contact here yet.",
    "We have not named it here yet.",
)


@pytest.mark.parametrize("path", [link(), link("preferences"), "/sign-up", "/u/x", PATH])
def test_every_page_links_to_the_statement(site: Site, path: str) -> None:
    status = 400 if path == "/u/x" else 200
    assert site.page(path, status).links["Accessibility"] == PATH


def test_the_link_keeps_the_language_of_the_switch(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "de"))
    statement = site.page(site.page("/sign-up?lang=de").links["Barrierefreiheit"])
    assert statement.lang == ("de", "ltr")
    assert statement.links["English"] == f"{PATH}?lang=en"


def test_the_statement_says_plainly_what_no_setting_names(site_with: SiteMaker) -> None:
    page = site_with(contact="", smtp_url=None).page(PATH)
    assert page.heading == "Accessibility"
    assert f"This statement by {BRAND} is about" in page.text
    assert all(each in page.text for each in NOT_SAID)
    assert page.ways_on == []
    assert "sign up" not in page.text


def test_the_statement_says_what_the_settings_name(site_with: SiteMaker) -> None:
    page = site_with(
        contact="help@example.org",
        accessibility_authorities=AUTHORITIES,
        accessibility_limits={"": "Our logo is <small>."},
        accessibility_reviewed=date(2026, 11, 9),
    ).page(PATH)
    assert not any(each in page.text for each in NOT_SAID)
    assert "We last reviewed this statement on 9 November 2026." in page.text
    assert "Our logo is <small>." in page.text
    assert [page.links[name] for name, _ in AUTHORITIES] == [url for _, url in AUTHORITIES]
    assert page.ways_on == ["help@example.org", *(name for name, _ in AUTHORITIES)]
    assert "You can also sign up, and see or delete your data." in page.text


def test_known_limits_are_in_the_language_of_the_page(site_with: SiteMaker) -> None:
    limits = {"": "Our logo is small.", "de": "Unser Logo ist klein."}
    site = site_with(languages=("en", "de", "ja"), accessibility_limits=limits)
    for language, shown in (("en", ""), ("de", "de"), ("ja", "")):
        assert limits[shown] in site.page(f"{PATH}?lang={language}").text


def test_the_statement_needs_neither_the_database_nor_its_keys(site_with: SiteMaker) -> None:
    site = site_with()
    lose_database(site)
    assert site.get(link()).status_code == 503
    assert site.page(PATH).heading == "Accessibility"


def test_an_operator_can_replace_the_template(site_with: SiteMaker, tmp_path: Path) -> None:
    folder = tmp_path / "templates" / "subscriber"
    folder.mkdir(parents=True)
    text = (
        '{% extends "subscriber/base.html" %}{% block heading %}Access{% endblock %}'
        "{% block content %}<p>{{ accessibility_reviewed|date }}</p>{% endblock %}"
    )
    (folder / "accessibility.html").write_text(text)
    site = site_with(overrides_dir=tmp_path, accessibility_reviewed=date(2026, 11, 9))
    assert "9 November 2026" in site.page(PATH).text
