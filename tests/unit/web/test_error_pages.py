"""The pages for a broken link, a missing page and an unavailable database."""

import pytest

from tests.support.page import Page
from tests.support.site import Site, confirm, link, lose_database, receipt, use_database
from tests.support.web_fixtures import SiteMaker

BROKEN = "This link doesn’t work"


@pytest.mark.parametrize(
    "path",
    [
        *("/u/", "/u/x", "/p/x", "/r/x", "/r/x/undo", "/c/x", link()[:-1]),
        *(f"/{page}/{link()[3:]}" for page in "prc"),
    ],
)
def test_a_broken_link_is_explained(site: Site, path: str) -> None:
    page = site.page(path, 400)
    assert page.heading == BROKEN
    assert "Some email programs cut long links." in page.text
    assert "help@example.org" in page.text
    assert page.buttons == ["Email me a link"]


@pytest.mark.parametrize(
    "path",
    [
        *("/u/x/leave", "/u/x/less", "/p/x/leave", "/p/x/save", "/p/x/language", "/c/x/join"),
        *("/r/x/leave", "/r/x/less", "/r/x/undo", "/r/x/reason"),
    ],
)
def test_a_form_with_a_broken_link_changes_nothing(site: Site, path: str) -> None:
    before = site.rows()
    form = {"scope": "all", "choice": "weekly", "length": "2-weeks", "code": "other"}
    assert Page(site.post(path, data=form), 400).heading == BROKEN
    assert site.rows() == before


def test_without_a_contact_none_is_shown(site_with: SiteMaker) -> None:
    site = site_with(contact="")
    assert "write to" not in site.page("/u/x", 400).text
    lose_database(site)
    assert "write to" not in site.page(link(), 503).text


def test_a_missing_page_says_so(site: Site) -> None:
    for path in ("/", "/nothing", "/u", "/u//x", f"{link()}/nothing", "/static/style.css"):
        assert site.page(path, 404).heading == "Page not found"


def test_without_a_database_the_page_asks_to_try_again(site: Site) -> None:
    page, before, database = site.page(link()), site.rows(), site.database
    lose_database(site)
    pages = (link(), link("preferences"), receipt(1), confirm())
    forms = {
        f"{link()}/less": {"choice": "weekly"},
        f"{link('preferences')}/save": {"topic": "weekly-news", "was-weekly-news": "every"},
        f"{receipt(3)}/undo": {},
        f"{receipt(3)}/reason": {"code": "other"},
        f"{receipt(3)}/less": {"topic": "weekly-news"},
        f"{confirm()}/join": {},
        "/sign-up": {"email": "ada@example.org", "press": "link", "page": "own"},
    }
    shown = [site.get(each) for each in pages]
    saved = [site.press(page, page.buttons[0], 503)]
    saved += [site.post(path, data=form) for path, form in forms.items()]
    assert {Page(each, 503).heading for each in shown} == {"We can’t show this page right now"}
    assert {Page(each, 503).heading for each in saved} == {"Sorry, we couldn’t save that"}
    for answer in shown + saved:
        error = Page(answer, 503)
        assert "Try again" in error.ways_on
        assert "Nothing has changed" not in error.text  # unknown if a COMMIT was not answered
        assert "help@example.org" in error.text
        assert int(answer.headers["Retry-After"]) > 0
    use_database(site, database)
    assert site.rows() == before


def test_the_language_switch_of_an_error_page_leads_to_a_page(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "ar-XB"))
    site.subscribe()
    page = site.page(link())
    path, data = page.form_of(page.buttons[0])
    database = site.database
    lose_database(site)
    error = Page(site.post(path, data=data), 503)
    use_database(site, database)
    switch = next(target for target in error.links.values() if "lang=ar-XB" in target)
    assert site.page(switch).lang == ("ar-XB", "rtl")


def test_an_unknown_path_is_not_reflected(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "ar-XB"))
    for path in ("//evil.example/x", "/%22%3E%3Cscript%3E", "/u/%3Cscript%3E"):
        answer = site.client.open(environ_overrides={"PATH_INFO": path, "REQUEST_METHOD": "GET"})
        assert answer.status_code in {400, 404}
        assert "evil" not in answer.text
        assert "<script" not in answer.text
