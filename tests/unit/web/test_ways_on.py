"""No page is a dead end: each page that a valid link opens leads on, and errors do too."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from preference_center.core import erasure
from preference_center.core.vocab import Scope, Source
from tests.support import make
from tests.support.outage import down
from tests.support.page import Page
from tests.support.site import Site, confirm, link, receipt
from tests.support.web_fixtures import SiteMaker

PREFERENCES = "All your email preferences"
HOUR = timedelta(hours=1)

# What pages depend on does not depend on the engine.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _unsubscribe(slug: str | None, source: str = "page", **values: Any) -> Callable[[Site], None]:
    def do(site: Site) -> None:
        with site.database.transaction() as session:
            make.unsubscribe(session, slug=slug, source=source, at=make.NOW + HOUR, **values)

    return do


def _archive(site: Site) -> None:
    site.archive("weekly-news")


def _erase(site: Site) -> None:
    with site.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)


def _let_a_week_pass(site: Site) -> None:
    site.now += timedelta(days=9)


def _nothing(_: Site) -> None:
    pass


STATES: dict[str, Callable[[Site], object]] = {
    "as usual": _nothing,
    "unsubscribed": _unsubscribe("weekly-news"),
    "unsubscribed from the other topic": _unsubscribe("product-news"),
    "unsubscribed from all": _unsubscribe(None),
    "complained": _unsubscribe(None, "complaint"),
    "bounced": _unsubscribe(None, "bounce", scope=Scope.ADDRESS),
    "suppressed by the sender": _unsubscribe(None, "import", scope=Scope.ADDRESS),
    "archived": _archive,
    "erased": _erase,
    "a week later": _let_a_week_pass,
}
PATHS = {
    "leave": link(),
    "leave, unknown topic": link(topic="spring-offers"),
    "leave, unknown address": link(email="new@example.org"),
    "confirm": confirm(),
    "confirm, another topic": confirm("science"),
    "confirm, unknown topic": confirm("spring-offers"),
    "confirm, unknown address": confirm(email="new@example.org"),
}


def shown(site: Site, path: str) -> Page:
    answer = site.get(path)
    assert answer.status_code in {200, 410}
    return Page(answer, answer.status_code)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("smtp_url", ["smtp://localhost", None])
def test_a_page_of_a_valid_link_ends_with_the_preferences(
    site_with: SiteMaker, state: str, path: str, smtp_url: str | None
) -> None:
    site = site_with(smtp_url=smtp_url, contact="")
    site.subscribe()
    site.add_topic("science")
    STATES[state](site)
    page = shown(site, path)
    assert page.ways_on[-1] == PREFERENCES
    assert site.page(page.links[PREFERENCES]).heading == "Your email preferences"


FORMS = {
    f"{link()}/leave": 400,
    f"{link()}/less": 400,
    f"{confirm('science')}/join": 409,
}


@pytest.mark.parametrize("path", FORMS)
def test_a_form_that_is_refused_is_shown_again_with_a_way_on(site: Site, path: str) -> None:
    site.add_topic("science")
    page = Page(site.post(path), FORMS[path])
    assert page.ways_on[-1] == PREFERENCES
    assert page.buttons


@pytest.mark.parametrize("form", ["leave", "less"])
def test_a_browser_that_opens_the_path_of_a_form_again_is_led_to_its_page(
    site: Site, form: str
) -> None:
    page = site.page(f"{link()}/{form}?lang=en", 405)
    assert page.heading == "That didn’t work"
    assert site.page(page.links["Open the page again"]).heading == "Unsubscribe from Weekly news"


def test_the_path_of_any_form_under_a_link_leads_to_its_page(site: Site) -> None:
    site.post(f"{link()}/leave", data={"scope": "topic"})
    paths = {
        f"{link('preferences')}/save": "Your email preferences",
        f"{receipt(3)}/reason": "You’re unsubscribed from Weekly news",
        f"{confirm('product-news')}/join": "You get Product news",
    }
    for path, heading in paths.items():
        page = site.page(path, 405)
        assert site.page(page.links["Open the page again"]).heading == heading


def test_a_form_that_is_too_long_leads_to_its_page(site: Site) -> None:
    page = Page(site.post(f"{link()}/leave", data={"scope": "x" * 70_000}), 413)
    assert page.links["Open the page again"] == link()


@pytest.mark.parametrize("path", ["/healthz", "/hooks/ses", "/sign-up/sent", link()])
def test_a_method_that_is_not_allowed_elsewhere_names_no_page(site: Site, path: str) -> None:
    assert "Open the page again" not in site.open("PUT", path).text


@pytest.mark.parametrize("path", [link(), link("preferences"), receipt(1), confirm()])
def test_without_a_database_every_link_can_be_tried_again(site: Site, path: str) -> None:
    with down(site.database):
        assert site.page(path, 503).ways_on[0] == "Try again"


def test_a_broken_link_names_a_way_on_even_without_smtp_and_contact(site_with: SiteMaker) -> None:
    bare = site_with(smtp_url=None, contact="")
    text = "The link in any other email from Northwind Letters works too."
    assert text in bare.page("/u/x", 400).text
    home = site_with(smtp_url=None, contact="", home_url="https://example.org/")
    for page in (home.page("/u/x", 400), home.page("/nothing", 404)):
        assert page.ways_on == ["Back to Northwind Letters"]
        assert page.links["Back to Northwind Letters"] == "https://example.org/"


def test_a_wrong_address_can_be_corrected(site: Site) -> None:
    sent = site.page("/sign-up/sent?lang=en")
    assert "Wrong address? Ask again." in sent.text
    assert site.page(sent.links["Ask again"]).heading == "Get Northwind Letters emails"
