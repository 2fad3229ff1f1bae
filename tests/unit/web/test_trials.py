"""Test links show what a press would do, and write nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from preference_center.core.vocab import Frequency, Pause
from preference_center.links.minter import TEST_CAMPAIGN
from preference_center.web.access import Caller
from tests.support import make
from tests.support import site as site_module
from tests.support.event_loop import create_served_app
from tests.support.page import Page
from tests.support.site import ALL, THIS, Site, link

pytestmark = pytest.mark.pages

ADA = "ada@example.org"
LEAVE = link(campaign=TEST_CAMPAIGN)
PREFERENCES = link("preferences", campaign=TEST_CAMPAIGN)
HEADING = "This is a test link: nothing has changed"
NOTE = "This is a test link: buttons show what they would do, and change nothing."
ON = {"topic": "weekly-news", "on-weekly-news": "on"}
FORMS: list[dict[str, str]] = [
    {},
    {"scope": "topic", "topic": "weekly-news"},
    {"scope": "all"},
    {"choice": "weekly"},
    {"choice": "2-weeks"},
    {"topic": "weekly-news", "was-weekly-news": "every"},
    {"topic": "town-letter", "was-town-letter": "off", "on-town-letter": "on"},
    ON | {"was-weekly-news": "monthly", "often-weekly-news": "every"},
    ON | {"was-weekly-news": "every", "resume-weekly-news": "on"},
    {"pause": "1-month"},
    {"language": "de", "language-was": "en"},
    {"press": "resume", **ON, "was-weekly-news": "every"},
    {"code": "too_many", "note": "Every day!"},
]


def press(site: Site, path: str, button: str) -> Page:
    return Page(site.press(site.page(path), button, 200))


def paths_that_take_a_post(site: Site, *links: str) -> Iterator[str]:
    """Yield the path of each route under these links to which a form is posted."""
    for rule in site.app.url_map.iter_rules():
        view: Any = site.app.view_functions[rule.endpoint]
        if view.caller is Caller.LINK and "POST" in (rule.methods or ()):
            for each in links:
                if rule.rule.startswith(each[:3]):
                    yield rule.rule.replace(f"{each[:3]}<signed:link>", each)


@pytest.mark.parametrize("email", [ADA, "never-seen@example.org"])
def test_no_post_changes_a_row(center: Site, email: str) -> None:
    with center.database.transaction() as session:
        make.reduce(session, Frequency.MONTHLY)
        make.reduce(session, Pause.ONE_MONTH)
    before, count = center.rows(), 0
    links = [link(purpose, email, slug, TEST_CAMPAIGN) for purpose, slug in KINDS]
    for path in links:
        center.page(path)
    for path in paths_that_take_a_post(center, *links):
        for form in FORMS:
            answer = center.post(path, data=form)
            assert answer.status_code in {200, 303, 400, 409}, (path, form)
            count += 1
    assert count == (2 * 3 + 1 * 4) * len(FORMS)  # of links to leave, and to the preferences
    assert center.rows() == before
    assert center.page_views() == {}


KINDS: list[tuple[Any, str]] = [
    ("unsubscribe", "weekly-news"),
    ("unsubscribe", "unheard-of"),
    ("preferences", "weekly-news"),
]


@pytest.fixture(params=["thread", "event loop"])
def answered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "event loop":
        monkeypatch.setattr(site_module, "create_app", create_served_app)


@pytest.mark.usefixtures("answered")
def test_one_click_says_that_nothing_has_changed(database_url: str) -> None:
    site = Site(database_url)
    site.subscribe()
    before = site.rows()
    answer = site.post(LEAVE, data="List-Unsubscribe=One-Click")
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.text == (
        "This is a test link: nothing has changed. A real link would unsubscribe.\n"
    )
    assert site.rows() == before
    site.close()


def test_the_pages_say_that_the_link_is_a_test(center: Site) -> None:
    for path in (LEAVE, PREFERENCES):
        assert NOTE in center.page(path).text
    for path in (link(), link("preferences")):
        assert "test link" not in center.page(path).text
    assert NOTE in center.page(center.page(LEAVE).links["All your email preferences"]).text


def test_leaving_shows_what_would_be_left(center: Site) -> None:
    page = press(center, LEAVE, THIS)
    assert page.heading == HEADING
    assert "Weekly news: no emails" in page.text
    assert "An email would confirm it." in page.text
    assert "It could be undone until 22 December 2026." in page.text
    assert page.links["Open the page again"] == LEAVE
    assert "You’re unsubscribed from everything" in press(center, LEAVE, ALL).text
    assert "You’re unsubscribed from everything" in press(center, PREFERENCES, ALL).text


def test_getting_less_shows_what_would_come(center: Site) -> None:
    page = center.page(LEAVE)
    page.choose("At most once a week")
    shown = Page(center.press(page, "Do this instead", 200))
    assert "Weekly news: at most once a week (was: every email)" in shown.text


def test_saving_shows_all_that_would_change(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.untick("Product news")
    page.tick("Town letter")
    page.select("often-weekly-news", "At most once a month")
    shown = Page(center.press(page, "Save", 200))
    assert shown.heading == HEADING
    assert "Product news: no emails" in shown.text
    assert "Weekly news: at most once a month (was: every email)" in shown.text
    assert "Check your email to start Town letter." in shown.text


def test_saving_the_language_alone_shows_that_it_would_be_saved(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("language", "Deutsch")
    assert "Saved." in Page(center.press(page, "Save", 200)).text


def test_a_press_that_would_change_nothing_says_so(center: Site) -> None:
    text = "A real link would change nothing either."
    with center.database.transaction() as session:
        make.set_details(session, ADA, locale="en")
    assert text in press(center, PREFERENCES, "Save").text
    center.post(link())
    answer = center.post(f"{LEAVE}/leave", data={"scope": "topic"})
    assert text in Page(answer).text


def test_what_would_be_refused_is_shown(center: Site) -> None:
    with center.database.transaction() as session:
        make.set_details(session, ADA, email=None)
    data = {"topic": "town-letter", "was-town-letter": "off", "on-town-letter": "on"}
    page = Page(center.post(f"{PREFERENCES}/save", data=data))
    assert "We can’t email you, so this stays as it was: Town letter" in page.text


def test_a_form_that_is_out_of_date_is_refused_as_usual(center: Site) -> None:
    page = center.page(PREFERENCES)
    page.select("often-weekly-news", "At most once a month")
    center.post(link())
    center.press(page, "Save", 409)
