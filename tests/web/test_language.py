"""The visitor's language: the switch, else the subscriber's own, else the browser's (P7)."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from preference_center.core import subscribers, topics
from tests import make
from tests.web.conftest import SiteMaker
from tests.web.site import BRAND, Page, Site, link, receipt
from tests.web.test_one_click import lose_database

ENGLISH, MIRRORED = ("en", "ltr"), ("ar-XB", "rtl")
MARKED = re.compile("\u202e[^\u202c]*\u202c")


@pytest.fixture
def both(site_with: SiteMaker) -> Site:
    """Return a site in English and in English set right to left, with all that may be shown."""
    site = site_with(
        languages=("en", "ar-XB"),
        privacy_url="https://example.org/privacy",
        sign_up_url="https://example.org/join",
        goodbye_links=(("Blog", "https://example.org/blog"),),
    )
    site.enrol("ada@example.org", "bob@example.org", "eve@example.org")
    return site


def prefer(site: Site, locale: str | None) -> None:
    with site.database.transaction() as session:
        subscribers.lock(session, make.person(), make.NOW).locale = locale


@pytest.mark.parametrize(
    ("switch", "own", "browser", "shown"),
    [
        ("", None, "", ENGLISH),
        ("", None, "ar-XB,en;q=0.5", MIRRORED),
        ("", None, "de,fr;q=0.9,*;q=0.1", ENGLISH),
        ("", "ar-XB", "en", MIRRORED),
        ("", "en", "ar-XB", ENGLISH),
        ("", "pt-BR", "ar-XB", MIRRORED),
        ("?lang=en", "ar-XB", "ar-XB", ENGLISH),
        ("?lang=ar-XB", "en", "en", MIRRORED),
        ("?lang=xx", "ar-XB", "en", MIRRORED),
        ("?lang=%00%ff", None, "en;q=x,\xff", ENGLISH),
    ],
)
def test_the_language_is_chosen(
    both: Site, switch: str, own: str | None, browser: str, shown: tuple[str, str]
) -> None:
    prefer(both, own)
    headers = {"Accept-Language": browser}
    for path in (link(), link("preferences")):
        assert both.page(path + switch, headers=headers).lang == shown


def test_the_switch_names_each_language_in_itself_and_leads_back_to_the_page(both: Site) -> None:
    page = both.page(link())
    assert both.page(page.links["العربية"]).lang == MIRRORED
    assert both.page(both.page(page.links["العربية"]).links["English"]).lang == ENGLISH


def test_the_chosen_language_is_kept_from_page_to_page(both: Site) -> None:
    page = both.page(f"{link()}?lang=ar-XB")
    goodbye = both.press_and_follow(page, page.buttons[0])
    assert goodbye.lang == MIRRORED
    assert both.press_and_follow(goodbye, goodbye.buttons[0]).lang == MIRRORED
    (preferences,) = [each for each in page.links.values() if each.startswith("/p/")]
    assert both.page(preferences).lang == MIRRORED


def test_with_one_language_there_is_no_switch(site: Site) -> None:
    page = site.page(f"{link()}?lang=ar-XB")
    assert page.lang == ENGLISH
    assert not [target for target in page.links.values() if "lang=" in target]


def test_the_wording_of_an_undo_is_kept_as_it_was_read(both: Site) -> None:
    prefer(both, "ar-XB")
    page = both.page(both.press(both.page(link()), both.page(link()).buttons[0]).location)
    assert page.lang == MIRRORED
    both.press(page, page.buttons[0])
    (wording,) = both.rows()["wordings"]
    assert MARKED.search(str(wording[1]))


def test_a_topic_is_named_in_the_language_of_the_page(both: Site) -> None:
    with both.database.transaction() as session:
        topics.describe(topics.get(session, "weekly-news"), "ar", "أخبار", "")
    assert "أخبار" in both.page(f"{link()}?lang=ar-XB").heading
    assert "Weekly news" in both.page(link()).heading


def every_page(site: Site, query: str) -> Iterator[Page]:
    """Yield each page in each of its states."""
    ada, bob, eve = "ada@example.org", "bob@example.org", "eve@example.org"

    def get(path: str, status: int = 200) -> Page:
        return site.page(path + query, status)

    for email in (ada, "new@example.org"):
        yield get(link(email=email))
        yield get(link("preferences", email=email))
    yield Page(site.post(f"{link()}/leave{query}"), 400)
    yield Page(site.post(f"{link('preferences')}/leave{query}"), 400)
    topic = site.post(f"{link()}/leave", data={"scope": "topic"}).location
    everything = site.post(f"{link(email=bob)}/leave", data={"scope": "all"}).location
    unknown = site.post(f"{link(email='new@example.org')}/leave", data={"scope": "all"}).location
    yield from map(get, (topic, everything, unknown, f"{topic}/undo", f"{everything}/undo"))
    yield get(link())
    yield from (get(link(email=bob)), get(link("preferences", email=bob)))
    undone = site.post(f"{topic}/undo").location
    yield from map(get, (topic, undone, f"{undone}/undo", f"{topic}/undo"))
    undone = site.post(f"{everything}/undo").location
    yield from map(get, (everything, undone, f"{undone}/undo"))
    stop = site.post(f"{link(email=eve)}/leave", data={"scope": "topic"}).location
    site.post(f"{link(email=eve)}/leave", data={"scope": "all"})
    yield from (get(stop), get(f"{stop}/undo", 409), get(receipt(99), 409))
    with site.database.transaction() as session:
        topics.archive(topics.get(session, "product-news"), make.NOW)
    yield get(link(topic="product-news"))
    yield from (get("/u/x", 400), get("/nothing", 404), get(f"{link()}/leave", 405))
    yield Page(site.post(f"{link()}/leave{query}", data={"scope": "x" * 20_000}), 413)
    site.now += timedelta(days=31)
    yield from (get(unknown), get(f"{unknown}/undo", 410))
    lose_database(site)
    yield get(link(), 503)


def test_every_page_in_every_state_is_whole_in_both_languages(both: Site) -> None:
    pages = list(every_page(both, "?lang=ar-XB"))
    assert len(pages) > 25
    assert {page.lang for page in pages} == {MIRRORED}


def test_no_text_of_ours_bypasses_the_catalogue(both: Site) -> None:
    data = [BRAND, "1 Example Street, 1000 Exampletown", "help@example.org", "Blog", "English"]
    data += ["Weekly news", "Product news", "a•••@example.org", "b•••@example.org", "UTC"]
    data += ["e•••@example.org"]
    for page in every_page(both, "?lang=ar-XB"):
        seen = f"{page.title} {page.all_text}"
        rest = MARKED.sub("", seen)
        for known in data:
            rest = rest.replace(known, "")
        assert not re.search(r"[A-Za-z]", rest), rest


def test_the_search_for_untranslated_text_finds_some() -> None:
    assert re.search(r"[A-Za-z]", MARKED.sub("", "\u202eUndo\u202c this"))
    assert not re.search(r"[A-Za-z]", MARKED.sub("", "\u202eUndo\u202c \u202ethis\u202c"))
