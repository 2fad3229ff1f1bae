"""The page of a database that cannot be used: the same link, or the same form once more."""

from collections.abc import Callable
from pathlib import Path

import pytest

from preference_center.web.retry import FIELD
from tests.support.outage import down
from tests.support.page import Page
from tests.support.processes import wait_for
from tests.support.site import ALL, THIS, Site, confirm, link
from tests.support.tour import every_page
from tests.support.web_fixtures import SiteMaker

AGAIN = "Try again"
SHOWN, SAVED = "We can’t show this page right now", "Sorry, we couldn’t save that"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def failed(site: Site, page: Page, button: str) -> Page:
    """Press a button while the database is down, and return the page of the answer."""
    with down(site.database):
        return Page(site.press(page, button, 503), 503)


def _leave(site: Site) -> tuple[Page, str]:
    return site.page(link()), THIS


def _leave_everything(site: Site) -> tuple[Page, str]:
    return site.page(link()), ALL


def _reduce(site: Site) -> tuple[Page, str]:
    page = site.page(link())
    page.choose("At most once a month")
    return page, "Do this instead"


def _save(site: Site) -> tuple[Page, str]:
    page = site.page(link("preferences"))
    page.untick("Product news")
    page.select("often-weekly-news", "At most once a week")
    return page, "Save"


def _undo(site: Site) -> tuple[Page, str]:
    return site.press_and_follow(site.page(link()), THIS), "Undo"


def _say_why(site: Site) -> tuple[Page, str]:
    page = site.press_and_follow(site.press_and_follow(site.page(link()), THIS), "Something else")
    page.fill_in("Anything else? (optional)", 'A "<b>note</b>"\n& more')
    return page, "Send"


def _join(site: Site) -> tuple[Page, str]:
    site.add_topic("science")
    return site.page(confirm("science")), "Yes, send me Science"


def _ask_for_a_link(site: Site) -> tuple[Page, str]:
    page = site.page("/sign-up")
    page.fill_in("Email address", "ada@example.org")
    return page, "Email me my link"


def _sign_up(site: Site) -> tuple[Page, str]:
    page = site.page("/sign-up")
    page.fill_in("Email address", "new@example.org")
    page.tick("Weekly news")
    return page, "Sign up"


CHOICES: list[Callable[[Site], tuple[Page, str]]] = [
    *(_leave, _leave_everything, _reduce, _save, _undo, _say_why, _join, _ask_for_a_link),
    _sign_up,
]


@pytest.mark.parametrize("choose", CHOICES)
def test_a_choice_that_failed_is_applied_by_trying_again(
    site: Site, choose: Callable[[Site], tuple[Page, str]]
) -> None:
    page, button = choose(site)
    before = site.rows()
    error = failed(site, page, button)
    assert (error.heading, error.buttons) == (SAVED, [AGAIN])
    assert error.form_of(AGAIN) == page.form_of(button)
    assert site.rows() == before
    twice = failed(site, error, AGAIN)
    site.press(twice, AGAIN)
    assert site.rows() != before


def test_a_form_repeats_no_other_field(site: Site) -> None:
    data = {"scope": "all", "card-number": "4111", "was-../x": "1", "x" * 9000: "y", "on-": "z"}
    with down(site.database):
        error = Page(site.post(f"{link()}/leave?lang=en", data=data), 503)
    assert error.form_of(AGAIN) == (f"{link()}/leave?lang=en", {"scope": ["all"]})
    assert "4111" not in error.html


def test_every_field_of_every_form_is_repeated(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "de"))
    site.subscribe("ada@example.org", "bob@example.org", "eve@example.org")
    names = {
        each.get("name")
        for page in every_page(site, "?lang=en")
        for form in page.root.iter("form")
        for each in form.iter()
        if each.get("name")
    }
    assert {"scope", "choice", "wording", "on-weekly-news", "language", "email"} <= names
    assert [each for each in names if not FIELD.fullmatch(str(each))] == []


def test_a_form_that_is_too_long_is_not_repeated(site: Site) -> None:
    with down(site.database):
        answer = site.post("/sign-up", data={"email": "a" * 70_000})
    assert answer.status_code == 413
    assert "aaaa" not in answer.text


def test_what_was_typed_is_escaped(site: Site) -> None:
    path = site.press(site.page(link()), THIS).location
    note = '"><script>alert(1)</script>'
    with down(site.database):
        error = Page(site.post(f"{path}/reason", data={"note": note}), 503)
    assert error.form_of(AGAIN)[1] == {"note": [note]}


@pytest.mark.parametrize(
    "query", ["", "?lang=en", '?said=nothing&x="><script>&_scheme=x&_external']
)
def test_a_page_that_cannot_be_shown_links_to_itself(site: Site, query: str) -> None:
    path = link("preferences")
    with down(site.database):
        error = site.page(path + query, 503)
    assert error.heading == SHOWN
    assert "This link keeps working, so you can also come back later." in error.text
    assert "help@example.org" in error.text
    assert error.buttons == []
    again = error.links[AGAIN]
    assert again.partition("?")[0] == path
    assert "said=nothing" in again or "said" not in query
    assert site.page(again).heading == "Your email preferences"


def test_text_appended_to_a_link_is_not_repeated(site: Site) -> None:
    with down(site.database):
        assert site.page(f"{link()}%20&utm_source=x", 503).links[AGAIN] == link()


def test_an_unsubscribe_in_the_spool_leads_on(site_with: SiteMaker, tmp_path: Path) -> None:
    site = site_with(spool_dir=tmp_path)
    site.subscribe()
    spool = site.services.spool
    assert spool is not None
    wait_for(lambda: spool.state().accepts, "a registration")
    page = site.page(link())
    with down(site.database):
        recorded = Page(site.press(page, THIS, 202), 202)
    assert "The link in the email keeps working" in recorded.text
    assert site.page(recorded.links["All your email preferences"]).heading == (
        "Your email preferences"
    )
