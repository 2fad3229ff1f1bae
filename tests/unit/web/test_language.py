"""The visitor's language: that of the switch, the subscriber or the browser (P7)."""

import re
from datetime import timedelta
from hashlib import sha256
from typing import Literal

import pytest

from preference_center.core import topics
from tests.support import make
from tests.support.page import BRAND
from tests.support.site import ASKED, Site, confirm, link
from tests.support.tour import every_page
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

ENGLISH, MIRRORED = ("en", "ltr"), ("ar-XB", "rtl")
MARKED = re.compile("\u202e[^\u202c]*\u202c")


@pytest.fixture
def both(site_with: SiteMaker) -> Site:
    """Return a site in English and in mirrored English, with all optional elements."""
    site = site_with(
        languages=("en", "ar-XB"),
        privacy_url="https://example.org/privacy",
        sign_up_url="https://example.org/join",
        alternative_links=(("Blog", "https://example.org/blog"),),
    )
    site.subscribe("ada@example.org", "bob@example.org", "eve@example.org")
    return site


def prefer(site: Site, locale: str | None) -> None:
    with site.database.transaction() as session:
        make.set_details(session, locale=locale)


@pytest.mark.parametrize(
    ("switch", "own", "browser", "shown"),
    [
        ("", None, "", ENGLISH),
        ("", None, "ar-XB,en;q=0.5", MIRRORED),
        ("", None, "de,fr;q=0.9,*;q=0.1", ENGLISH),
        ("", None, "en-GB,ar-XB;q=0.5", ENGLISH),
        ("", None, "fr-CH,ar-XB-x-old;q=0.8,en;q=0.9", ENGLISH),
        ("", None, "ar-XB;q=0,en;q=0.1", ENGLISH),
        ("", "ar-XB", "en", MIRRORED),
        ("", "en", "ar-XB", ENGLISH),
        ("", "pt-BR", "ar-XB", MIRRORED),
        ("?lang=en", "ar-XB", "ar-XB", ENGLISH),
        ("?lang=ar-XB", "en", "en", MIRRORED),
        ("?lang=xx", "ar-XB", "en", MIRRORED),
        ("?lang=%00%ff", None, "en;q=x,\xff", ENGLISH),
    ],
)
def test_the_switch_precedes_the_subscribers_and_the_browsers_language(
    both: Site, switch: str, own: str | None, browser: str, shown: tuple[str, str]
) -> None:
    prefer(both, own)
    headers = {"Accept-Language": browser}
    for path in (link(), link("preferences")):
        assert both.page(path + switch, headers=headers).lang == shown


def test_the_switch_names_each_language_and_links_to_the_same_page(both: Site) -> None:
    page = both.page(link())
    assert both.page(page.links["العربية"]).lang == MIRRORED
    assert both.page(both.page(page.links["العربية"]).links["English"]).lang == ENGLISH


def test_the_chosen_language_is_kept_from_page_to_page(both: Site) -> None:
    page = both.page(f"{link()}?lang=ar-XB")
    receipt = both.press_and_follow(page, page.buttons[0])
    assert receipt.lang == MIRRORED
    assert both.press_and_follow(receipt, receipt.buttons[0]).lang == MIRRORED
    (preferences,) = [each for each in page.links.values() if each.startswith("/p/")]
    assert both.page(preferences).lang == MIRRORED


def test_with_one_language_there_is_no_switch(site_with: SiteMaker) -> None:
    site = site_with(languages=("en",))
    site.subscribe()
    page = site.page(f"{link()}?lang=ar-XB")
    assert page.lang == ENGLISH
    assert not [target for target in page.links.values() if "lang=" in target]


def test_the_recorded_wording_of_an_undo_is_in_the_page_language(both: Site) -> None:
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


CHANGES: dict[str, tuple[str, dict[str, str]]] = {
    "leave": (f"{link()}/leave", {"scope": "topic"}),
    "leave all": (f"{link('preferences')}/leave", {"scope": "all"}),
    "reduce": (f"{link()}/less", {"choice": "weekly"}),
    "pause": (
        f"{link('preferences')}/save",
        {"topic": "weekly-news", "was-weekly-news": "every", "on-weekly-news": "on"}
        | {"pause": "1-month"},
    ),
    "save": (
        f"{link('preferences')}/save",
        {"topic": "weekly-news", "was-weekly-news": "every"},
    ),
    "join": (
        f"{confirm('product-news')}/join",
        {"wording": sha256(b"Yes, send me Product news").hexdigest()},
    ),
}


@pytest.fixture
def german(site_with: SiteMaker) -> Site:
    """Return a site in English and German, where ada subscribes to one topic."""
    site = site_with(languages=("en", "de"))
    site.subscribe("bob@example.org")
    with site.database.transaction() as session:
        make.subscriber(session, "ada@example.org", "weekly-news")
    return site


@pytest.mark.parametrize("choice", CHANGES)
def test_an_act_in_another_language_sets_the_subscribers_language(
    german: Site, choice: str
) -> None:
    path, form = CHANGES[choice]
    german.post(path, data=form, headers={"Accept-Language": "de"})
    assert german.locale() == "de"
    german.now += timedelta(minutes=2)
    (message,) = german.emails()
    assert message["Content-Language"] == "de"


def test_an_act_in_the_default_language_sets_no_language(german: Site) -> None:
    for path, form in CHANGES.values():
        german.post(path, data=form, headers={"Accept-Language": "en-GB,de;q=0.5"})
    assert german.locale() is None


def test_switching_to_the_default_language_sets_it(german: Site) -> None:
    path, form = CHANGES["leave"]
    german.post(f"{path}?lang=en", data=form, headers={"Accept-Language": "de"})
    assert german.locale() == "en"


@pytest.mark.parametrize("choice", CHANGES)
def test_the_switch_sets_the_language_of_the_email_and_keeps_a_stored_language(
    german: Site, choice: str
) -> None:
    prefer(german, "en")
    path, form = CHANGES[choice]
    german.post(f"{path}?lang=de", data=form)
    assert german.locale() == "en"
    german.now += timedelta(minutes=2)
    (message,) = german.emails()
    assert message["Content-Language"] == "de"


def test_the_browsers_language_does_not_set_the_language_of_the_email(german: Site) -> None:
    prefer(german, "en")
    path, form = CHANGES["leave"]
    german.post(path, data=form, headers={"Accept-Language": "de"})
    german.now += timedelta(minutes=2)
    (message,) = german.emails()
    assert (german.locale(), message["Content-Language"]) == ("en", "en")


def test_a_later_change_sets_the_language_of_the_email_that_it_extends(german: Site) -> None:
    prefer(german, "en")
    for choice, query in (("reduce", ""), ("leave", "?lang=de"), ("leave all", "")):
        path, form = CHANGES[choice]
        german.post(f"{path}{query}", data=form)
    german.now += timedelta(minutes=5)
    (message,) = german.emails()
    assert message["Content-Language"] == "de"


def test_a_requested_email_is_in_the_chosen_language(german: Site) -> None:
    prefer(german, "en")
    off = {"topic": "product-news", "was-product-news": "off", "on-product-news": "on"}
    german.post(f"{link('preferences')}/save?lang=de", data=off)
    german.post("/sign-up?lang=de", data=ASKED)
    german.now += timedelta(minutes=2)
    assert [each["Content-Language"] for each in german.emails()] == ["de", "de"]


def test_a_new_confirm_link_is_in_the_chosen_language(german: Site) -> None:
    prefer(german, "en")
    asked = confirm(asked_at=make.NOW - timedelta(hours=1))
    german.post(f"{link()}/leave", data={"scope": "topic"})
    german.post(f"{asked}/again?lang=de")
    assert [each["Content-Language"] for each in german.emails()] == ["de"]


def test_viewing_or_repeating_sets_no_language(german: Site) -> None:
    german.post(link())
    german.get(f"{link()}?lang=de")
    german.get(link("preferences"), headers={"Accept-Language": "de"})
    german.post(f"{link()}/leave?lang=de", data={"scope": "topic"})
    assert german.locale() is None


def test_one_click_sets_no_language(german: Site) -> None:
    german.post(link(), headers={"Accept-Language": "de"})
    assert german.locale() is None


def test_the_notice_of_an_undo_is_in_the_language_of_the_undo(german: Site) -> None:
    path = german.post(f"{link()}/leave", data={"scope": "topic"}).location
    german.now += timedelta(minutes=2)
    german.emails()
    german.post(f"{path}/undo", headers={"Accept-Language": "de"})
    german.now += timedelta(minutes=2)
    (message,) = german.emails()
    assert message["Content-Language"] == "de"


@pytest.mark.parametrize(
    ("code", "direction"), [("en", "ltr"), ("de", "ltr"), ("ar", "rtl"), ("ar-XB", "rtl")]
)
def test_every_page_in_every_state_is_complete_in_every_language(
    site_with: SiteMaker, code: str, direction: str
) -> None:
    site = site_with(languages=("en", "de", "ar", "ar-XB"))
    site.subscribe("ada@example.org", "bob@example.org", "eve@example.org")
    pages = list(every_page(site, f"?lang={code}"))
    assert len(pages) > 60
    assert {page.lang for page in pages} == {(code, direction)}


@pytest.mark.parametrize("languages", [("en", "de", "ar"), ("en", "de", "ar", "pt-BR")])
@pytest.mark.parametrize("kind", ["unsubscribe", "preferences"])
def test_the_switch_of_more_than_three_languages_is_a_list_to_open(
    site_with: SiteMaker, kind: Literal["unsubscribe", "preferences"], languages: tuple[str, ...]
) -> None:
    site = site_with(languages=languages)
    site.subscribe("ada@example.org")
    html = site.get(f"{link(kind)}?lang=de").text
    switch = html[html.index('<nav aria-label="Sprache">') :].partition("</nav>")[0]
    assert ('<summary><span lang="de"' in switch) is (len(languages) > 3)
    assert re.findall(r"\?lang=([\w-]+)", switch) == [each for each in languages if each != "de"]


def test_every_text_comes_from_the_catalogue(both: Site) -> None:
    data = [BRAND, "1 Example Street, 1000 Exampletown", "help@example.org", "Blog", "English"]
    data += ["Weekly news", "Product news", "a•••@example.org", "b•••@example.org", "UTC"]
    data += ["e•••@example.org", "Third"]
    for page in every_page(both, "?lang=ar-XB"):
        seen = f"{page.title} {page.all_text}"
        rest = MARKED.sub("", seen)
        for known in data:
            rest = rest.replace(known, "")
        assert not re.search(r"[A-Za-z]", rest), rest


def test_the_check_detects_untranslated_text() -> None:
    assert re.search(r"[A-Za-z]", MARKED.sub("", "\u202eUndo\u202c this"))
    assert not re.search(r"[A-Za-z]", MARKED.sub("", "\u202eUndo\u202c \u202ethis\u202c"))
