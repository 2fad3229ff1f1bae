"""The ledger keeps the wording that a form showed, also if it has changed before the press."""

from collections.abc import Callable
from pathlib import Path

import pytest

from preference_center.core import topics
from tests.support import make
from tests.support.page import Page
from tests.support.site import Site, confirm, link
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

YES = "Yes, send me Science"
UNDO = "Undo"
CHANGED = "The text of this page has changed since you opened it."
UNDO_FILE = "templates/subscriber/undo_wording.txt"
# A file of an operator's own that says what the button of the page says.
OWN_TEXTS = {
    "templates/subscriber/join_wording.txt": "Yes, <b>partners</b> & you may send {{ topic }}\n",
    "translations/en.po": """
msgid "Yes, send me %(topic)s"
msgstr "Yes, <b>partners</b> & you may send %(topic)s"
""",
}
OWN = "Yes, <b>partners</b> & you may send Science"

Edit = Callable[[str, str], None]


@pytest.fixture
def edit(tmp_path: Path) -> Edit:
    """Return a function that replaces a text of the pages, as an operator does before a restart."""

    def replace(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")

    return replace


@pytest.fixture
def restarted(site_with: SiteMaker, tmp_path: Path) -> Callable[[], Site]:
    """Return a function that starts the application again, with the texts as they are now."""
    return lambda: site_with(languages=("en", "de", "ar"), overrides_dir=tmp_path)


@pytest.fixture
def site(restarted: Callable[[], Site]) -> Site:
    """Return a site with a topic that ada does not receive."""
    site = restarted()
    site.subscribe()
    site.add_topic("science")
    return site


def wordings(site: Site) -> list[str]:
    return [text for _, text in site.rows()["wordings"]]


@pytest.mark.parametrize("lang", ["en", "de", "ar"])
def test_the_form_carries_the_digest_that_the_ledger_stores(site: Site, lang: str) -> None:
    page = site.page(f"{confirm('science')}?lang={lang}")
    site.press(page, page.buttons[0])
    ((digest, text),) = site.rows()["wordings"]
    assert (digest.hex(), text) == (page.wording, page.buttons[0])
    assert any(digest in row for row in site.rows()["ledger"])


def test_a_language_switched_before_the_press_keeps_the_wording_that_was_shown(site: Site) -> None:
    page = site.page(f"{confirm('science')}?lang=de")
    path, data = page.form_of(page.buttons[0])
    site.post(path.replace("lang=de", "lang=ar"), data=data)
    assert wordings(site) == [page.buttons[0]]


def test_the_language_of_the_subscriber_may_change_before_the_press(site: Site) -> None:
    page = site.page(confirm("science"))
    with site.database.transaction() as session:
        make.set_details(session, locale="de")
    site.press(page, YES)
    assert wordings(site) == [YES]


@pytest.mark.parametrize("name", OWN_TEXTS)
def test_a_form_shown_before_the_text_was_edited_is_shown_again(
    site: Site, restarted: Callable[[], Site], edit: Edit, name: str
) -> None:
    page = site.page(confirm("science"))
    edit(name, OWN_TEXTS[name])
    edited, before = restarted(), site.rows()
    again = Page(edited.press(page, YES, 409), 409)
    assert CHANGED in again.text
    assert again.title.startswith("Error: ")
    assert again.buttons == [OWN]
    assert edited.rows() == before
    assert edited.press_and_follow(again, OWN).heading == "You’ll get Science"
    assert wordings(edited) == [OWN]


def test_a_topic_renamed_before_the_press_is_shown_again(site: Site) -> None:
    page = site.page(confirm("science"))
    with site.database.transaction() as session:
        topics.describe(topics.get(session, "science"), "en", "Science and offers", "")
    before = site.rows()
    again = Page(site.press(page, YES, 409), 409)
    assert again.buttons == ["Yes, send me Science and offers"]
    assert site.rows() == before


@pytest.mark.parametrize("sent", [None, "", "0" * 64, "digest of another form"])
def test_a_topic_is_not_started_without_the_digest_of_its_wording(
    site: Site, sent: str | None
) -> None:
    site.press(site.page(confirm("science")), YES)
    site.add_topic("art")
    digest = site.rows()["wordings"][0][0].hex()
    data = {"wording": digest if sent == "digest of another form" else sent}
    before = site.rows()
    answer = Page(site.post(f"{confirm('art')}/join", data=data if sent is not None else {}), 409)
    assert answer.buttons == ["Yes, send me Art"]
    assert site.rows() == before


@pytest.mark.parametrize("opened", ["", "/undo"])
@pytest.mark.parametrize("lang", ["en", "de"])
def test_an_undo_keeps_the_wording_in_the_language_that_was_shown(
    site: Site, opened: str, lang: str
) -> None:
    receipt = site.press(site.page(link()), "Unsubscribe from Weekly news").location
    page = site.page(f"{receipt}{opened}?lang={lang}")
    button = "Undo" if lang == "en" else "Rückgängig machen"
    path, data = page.form_of(button)
    site.post(path.partition("?")[0], data=data, headers={"Accept-Language": "ar"})
    ((digest, text),) = site.rows()["wordings"]
    assert digest.hex() == page.wording
    assert (text == UNDO) is (lang == "en")


def test_an_undo_on_the_preferences_page_keeps_its_wording(site: Site) -> None:
    page = site.page(link("preferences"))
    page.untick("Weekly news")
    saved = site.press_and_follow(page, "Save")
    site.press(saved, "Undo")
    assert wordings(site) == [UNDO]


@pytest.mark.parametrize("carried", [True, False])
def test_an_undo_is_applied_whatever_its_wording(
    site: Site, restarted: Callable[[], Site], edit: Edit, carried: bool
) -> None:
    page = site.press_and_follow(site.page(link()), "Unsubscribe from Weekly news")
    path, data = page.form_of("Undo")
    edit(UNDO_FILE, "Take that back.\n")
    edited = restarted()
    assert edited.post(path, data=data if carried else {}).status_code == 303
    assert edited.subscriptions()["weekly-news"][0] == "subscribed"
    assert wordings(edited) == ["Take that back."]
