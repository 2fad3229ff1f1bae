"""Screens E and I: a link that is broken, a page that is not there, a database that is gone."""

import pytest

from preference_center.store import Database
from tests.web.conftest import SiteMaker
from tests.web.site import Page, Site, link, receipt
from tests.web.test_one_click import lose_database

BROKEN = "This link doesn’t work"


@pytest.mark.parametrize(
    "path",
    ["/u/x", "/p/x", "/r/x", "/r/x/undo", link()[:-1], f"/p/{link()[3:]}", f"/r/{link()[3:]}"],
)
def test_a_broken_link_is_explained(site: Site, path: str) -> None:
    page = site.page(path, 400)
    assert page.heading == BROKEN
    assert "Some email programs cut long links." in page.text
    assert "help@example.org" in page.text
    assert page.buttons == []


@pytest.mark.parametrize("path", ["/u/x/leave", "/p/x/leave", "/r/x/leave", "/r/x/undo"])
def test_a_form_of_a_broken_link_does_nothing(site: Site, path: str) -> None:
    before = site.rows()
    assert Page(site.post(path, data={"scope": "all"}), 400).heading == BROKEN
    assert site.rows() == before


def test_without_a_contact_none_is_promised(site_with: SiteMaker) -> None:
    site = site_with(contact="")
    assert "write to" not in site.page("/u/x", 400).text
    lose_database(site)
    assert "write to" not in site.page(link(), 503).text


def test_a_page_that_is_not_there_says_so(site: Site) -> None:
    for path in ("/", "/nothing", "/u", "/u/", "/u//x", f"{link()}/", "/static/style.css"):
        assert site.page(path, 404).heading.startswith("There is no")


def test_without_a_database_a_person_is_told_that_nothing_changed(site: Site) -> None:
    page, before, database = site.page(link()), site.rows(), site.database
    lose_database(site)
    for answer in (site.press(page, page.buttons[0], 503), site.get(link()), site.get(receipt(1))):
        trouble = Page(answer, 503)
        assert trouble.heading == "Sorry, we couldn’t save that"
        assert "Nothing has changed." in trouble.text
        assert "help@example.org" in trouble.text
        assert int(answer.headers["Retry-After"]) > 0
    put_back(site, database)
    assert site.rows() == before


def put_back(site: Site, database: Database) -> None:
    object.__setattr__(site.app.extensions["preference_center"], "database", database)


def test_the_language_switch_of_an_error_leads_back_to_a_page(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "ar-XB"))
    site.enrol()
    page = site.page(link())
    path, data = page.form_of(page.buttons[0])
    database = site.database
    lose_database(site)
    trouble = Page(site.post(path, data=data), 503)
    put_back(site, database)
    switch = next(target for target in trouble.links.values() if "lang=ar-XB" in target)
    assert site.page(switch).lang == ("ar-XB", "rtl")


def test_an_unknown_path_leads_nowhere_else(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "ar-XB"))
    for path in ("//evil.example/x", "/%22%3E%3Cscript%3E", "/u/%3Cscript%3E"):
        answer = site.client.open(environ_overrides={"PATH_INFO": path, "REQUEST_METHOD": "GET"})
        assert answer.status_code in {400, 404}
        assert "evil" not in answer.text
        assert "<script" not in answer.text
