"""The reasons that pages offer: hidden, shown and moved by buttons, and never lost."""

import pytest

from preference_center.core.staff_vocab import AuditAction
from preference_center.core.vocab import ReasonCode
from tests.support.console import SECRET_KEY, Console
from tests.support.page import Page
from tests.support.site import Site, link, receipt
from tests.support.web_fixtures import SiteMaker
from tests.unit.web.console.test_wording import Clock
from tests.unit.web.test_reason import REASONS, reasons

PATH = "/console/reasons/offered"
LANGUAGES = ("en", "de")
TEXTS = list(REASONS)


@pytest.fixture
def marketer(site_with: SiteMaker) -> Console:
    """Return the console of a marketer, on a site where ada has left weekly-news."""
    site = site_with(secret_key=SECRET_KEY, languages=LANGUAGES)
    site.subscribe()
    site.post(f"{link()}/leave", data={"scope": "topic"})
    return Console(site, "marketer")


def goodbye(site: Site) -> Page:
    return site.page(receipt(3))


def offered(site: Site) -> list[str]:
    """Return the reasons that the page after unsubscribing offers."""
    return [each for each in goodbye(site).buttons if each in TEXTS]


def press(console: Console, button: str) -> None:
    assert console.press(console.page(PATH), button).status_code == 303


@pytest.mark.every_engine
def test_reasons_are_moved_hidden_and_shown_by_buttons(marketer: Console) -> None:
    site, first = marketer.site, TEXTS[0]
    assert offered(site) == TEXTS
    press(marketer, f"Down {first}")
    press(marketer, "Hide Something else")
    assert offered(site) == [TEXTS[1], first, *TEXTS[2:-1]]
    press(marketer, f"Up {first}")
    press(marketer, "Show Something else")
    assert offered(site) == TEXTS
    changes = [each for each, _ in marketer.actions()[1:]]
    assert changes == 4 * [AuditAction.REASONS_CHANGED]


def test_an_answer_from_a_page_that_still_offers_it_is_recorded(marketer: Console) -> None:
    page = goodbye(marketer.site)
    press(marketer, "Hide Too many emails")
    marketer.site.press(page, "Too many emails")
    assert reasons(marketer.site)[0][2] == "too_many"
    assert "Thank you. Your answer" in goodbye(marketer.site).text


def test_one_reason_stays(marketer: Console) -> None:
    for text in TEXTS[1:]:
        press(marketer, f"Hide {text}")
    assert "Hide" not in str(marketer.page(PATH).buttons)
    before = marketer.site.rows()
    assert marketer.post(f"{PATH}/too_many", to="hide").status_code == 422
    assert marketer.site.rows() == before
    assert offered(marketer.site) == TEXTS[:1]


def test_what_was_done_already_changes_no_page(marketer: Console) -> None:
    for to in ("up", "show"):
        assert marketer.post(f"{PATH}/too_many", to=to).status_code == 303
    press(marketer, "Hide Not relevant to me")
    for to in ("hide", "up"):
        assert marketer.post(f"{PATH}/not_relevant", to=to).status_code == 303
    assert offered(marketer.site) == [TEXTS[0], *TEXTS[2:]]


def test_another_process_offers_the_same_within_ten_seconds(
    marketer: Console, site_with: SiteMaker
) -> None:
    other, clock = site_with(languages=LANGUAGES), Clock()
    other.services.languages._seconds = clock
    assert offered(other) == TEXTS
    press(marketer, "Hide Too many emails")
    clock.seconds += 5
    assert offered(other) == TEXTS[1:]


def test_a_text_leads_to_its_editor_in_the_language(marketer: Console) -> None:
    page = marketer.page(f"{PATH}?lang=de")
    editor = marketer.page(page.links["Zu viele E‑Mails"])
    assert editor.heading == "Edit a text"
    assert "Too many emails" in editor.text
    marketer.press(editor, "Save draft")  # With the text as it is.
    assert marketer.actions()[1:] == [(AuditAction.TEXT_DRAFTED, None)]


@pytest.mark.parametrize(
    ("code", "to", "status"),
    [("prefer_not_say", "show", 422), ("bounce", "show", 404), ("other", "away", 404)],
)
def test_no_other_reason_or_change_is_accepted(
    marketer: Console, code: str, to: str, status: int
) -> None:
    assert marketer.post(f"{PATH}/{code}", to=to).status_code == status
    assert ReasonCode.PREFER_NOT_SAY not in marketer.page(PATH).html
