"""Every page that a receipt link opens leads on, and promises only what can be kept.

The table is every state of a receipt with every setting that decides what a page may offer.
"""

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from preference_center.core import erasure
from preference_center.core.vocab import Pause, Source
from tests.support import make
from tests.support.page import Page, words
from tests.support.site import Site, link, receipt
from tests.support.web_fixtures import SiteMaker

# Pages do not depend on the engine.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SIGN_UP, CONTACT = "https://example.org/join", "help@example.org"
SETTINGS = [
    {
        "smtp_url": "smtp://localhost" if smtp else None,
        "sign_up_url": SIGN_UP if sign_up else "",
        "contact": CONTACT if contact else "",
    }
    for smtp, sign_up, contact in product((True, False), repeat=3)
]
TOPICS = ("weekly-news", "product-news", *(f"topic-{number}" for number in range(8)))


def posted(site: Site, path: str, **data: Any) -> str:
    answer = site.post(path, data=data)
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def left(site: Site, scope: str = "topic", email: str = "ada@example.org") -> str:
    """Unsubscribe with the button of the page, and return the path of the receipt."""
    return posted(site, f"{link(email=email)}/leave", scope=scope)


def left_several(site: Site) -> str:
    with site.database.transaction() as session:
        results = [make.unsubscribe(session, slug=slug) for slug in TOPICS[:8]]
    return receipt(results[0].first_seq, results[-1].last_seq)


def undone(site: Site, scope: str = "topic") -> str:
    path = left(site, scope)
    posted(site, f"{path}/undo")
    return path


def superseded(site: Site) -> str:
    path = left(site)
    left(site, "all")
    return path


def expired(site: Site, scope: str = "topic") -> str:
    path = left(site, scope)
    site.now += timedelta(days=31)
    return path


def repeated(site: Site) -> str:
    """Unsubscribe in two ways, and return the receipt of the first, which cannot be undone."""
    path = left(site)
    site.now += timedelta(hours=1)
    site.post(link(campaign="another"))
    return path


def reduced(site: Site, choice: str = "weekly") -> str:
    return posted(site, f"{link()}/less", choice=choice)


def all_paused(site: Site) -> str:
    with site.database.transaction() as session:
        results = [make.reduce(session, Pause.ONE_MONTH, slug=slug) for slug in TOPICS]
    return receipt(results[0].first_seq, results[-1].last_seq)


def erased(site: Site) -> str:
    path = left(site)
    with site.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    return path


def by_staff(site: Site) -> str:
    with site.database.transaction() as session:
        return receipt(make.unsubscribe(session, source=Source.CONSOLE).last_seq)


def answered(site: Site, code: str, scope: str = "topic") -> str:
    path = left(site, scope)
    posted(site, f"{path}/reason", code=code)
    return path


def get(path: Callable[[Site], str], status: int = 200) -> Callable[[Site], Page]:
    return lambda site: site.page(path(site), status)


def undo_question(path: Callable[[Site], str], status: int = 200) -> Callable[[Site], Page]:
    return lambda site: site.page(f"{path(site)}/undo", status)


def undo_refused(path: Callable[[Site], str], status: int) -> Callable[[Site], Page]:
    return lambda site: Page(site.post(f"{path(site)}/undo"), status)


def too_long(site: Site) -> Page:
    answer = site.post(f"{left(site)}/reason", data={"code": "other", "note": "x" * 501})
    return Page(answer, 400)


def no_reason_asked(site: Site) -> Page:
    return Page(site.post(f"{reduced(site)}/reason", data={"code": "other"}), 409)


STATES: dict[str, Callable[[Site], Page]] = {
    "left a topic": get(left),
    "left everything": get(lambda site: left(site, "all")),
    "left several topics": get(left_several),
    "left, not on record": get(lambda site: left(site, email="new@example.org")),
    "left everything, not on record": get(lambda site: left(site, "all", "new@example.org")),
    "left long ago": get(expired),
    "left everything long ago": get(lambda site: expired(site, "all")),
    "left twice": get(repeated),
    "reduced": get(reduced),
    "paused": get(lambda site: reduced(site, "2-weeks")),
    "all paused": get(all_paused),
    "undone": get(undone),
    "undone, everything": get(lambda site: undone(site, "all")),
    "undone, several": get(lambda site: posted(site, f"{left_several(site)}/undo")),
    "back": get(lambda site: posted(site, f"{left(site)}/undo")),
    "superseded": get(superseded),
    "undo a topic": undo_question(left),
    "undo several": undo_question(left_several),
    "undo what is undone": undo_question(undone),
    "undo too late": undo_question(expired, 410),
    "undo superseded": undo_question(superseded, 409),
    "undo repeated": undo_question(repeated, 409),
    "pressed too late": undo_refused(expired, 410),
    "pressed when superseded": undo_refused(superseded, 409),
    "erased": get(erased, 409),
    "by staff": get(by_staff, 409),
    "answer too long": too_long,
    "no reason asked": no_reason_asked,
    **{
        f"{code}, {scope}": get(lambda site, c=code, s=scope: answered(site, c, s))  # type: ignore[misc]
        for code in ("too_many", "changed_address", "never_signed_up", "other")
        for scope in ("topic", "all")
    },
}


@pytest.fixture(params=SETTINGS, ids=lambda each: "-".join(name for name in each if each[name]))
def center(request: pytest.FixtureRequest, site_with: SiteMaker) -> Site:
    """Return a site with ten topics, all of which ada gets."""
    site = site_with(**request.param)
    site.subscribe(topics=TOPICS)
    return site


@pytest.mark.parametrize("state", STATES)
def test_every_page_leads_on_and_promises_what_can_be_kept(center: Site, state: str) -> None:
    page, settings = STATES[state](center), center.settings
    assert "/p/" in {target[:3] for target in page.links.values()}
    assert not {"All your email preferences", "Change what you get"} <= page.links.keys()
    assert "choose what you get" not in page.links or settings.smtp_url
    assert "sign up again" not in page.links or settings.sign_up_page
    assert "email you a confirmation" not in page.text or settings.smtp_url
    assert "write to" not in page.text or settings.contact
    loud = filled_buttons(page)
    assert len(loud) <= 1
    assert page.heading != "Everything is as it was" or not loud


def filled_buttons(page: Page) -> list[str]:
    """Return the buttons that look like the main one of the page."""
    forms = [form for form in page.root.iter("form") if form.get("class") != "reasons"]
    buttons = [button for form in forms for button in form.iter("button")]
    return [words(each) for each in buttons if each.get("class") != "second"]


def test_nothing_is_promised_that_takes_email_where_none_is_sent(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe()
    path = left(site, "all")
    page = site.page(path)
    assert "choose" not in page.text
    assert (
        "If you change your mind You can undo this until 22 December 2026. "
        "To get our emails again later, write to help@example.org."
    ) in page.text
    site.now += timedelta(days=31)
    late = site.page(path)
    assert "You can undo this" not in late.text
    assert "write to help@example.org." in late.text


@pytest.mark.parametrize("policy", ["private", "archived", "complained"])
def test_only_a_topic_that_can_start_again_is_promised(site: Site, policy: str) -> None:
    with site.database.transaction() as session:
        make.topic(session, "letter", visibility="hidden" if policy == "private" else "public")
        make.subscriber(session, "eve@example.org", "letter", "weekly-news")
    path = posted(site, f"{link(email='eve@example.org', topic='letter')}/leave", scope="topic")
    assert ("choose what you get" in site.page(path).links) is (policy != "private")
    if policy == "archived":
        site.archive("letter")
    elif policy == "complained":
        with site.database.transaction() as session:
            make.unsubscribe(session, "eve@example.org", source="complaint")
    page = site.page(path)
    assert "choose what you get" not in page.links
    assert any(target.startswith("/p/") for target in page.links.values())


def test_the_sign_up_page_never_replaces_the_preferences(site_with: SiteMaker) -> None:
    site = site_with(sign_up_url=SIGN_UP, home_url="https://example.org/", account_messages=True)
    site.subscribe()
    page = site.page(left(site))
    assert "You still get: Product news Change what you get Receipts and account" in page.text
    assert site.page(page.links["Change what you get"]).heading == "Your email preferences"
    assert page.links["sign up again"] == SIGN_UP
    assert page.links["Back to Northwind Letters"] == "https://example.org/"


def test_the_parts_of_a_goodbye_are_in_order(site_with: SiteMaker) -> None:
    site = site_with(home_url="https://example.org/", goodbye_notes={"": "So long! <b>\nAda"})
    site.subscribe()
    text = site.page(left(site)).text
    parts = [
        "You’re unsubscribed from Weekly news",
        "For a•••@example.org",
        "Done on 22 November 2026",
        "An email already on its way",
        "Undo",
        "Puts everything back",
        "You still get:",
        "Thank you for reading Weekly news",
        "So long! <b> Ada",
        "We’ll email you a confirmation.",
        "If you change your mind",
        "Back to Northwind Letters",
        "Would you tell us why?",
    ]
    assert sorted(parts, key=text.index) == parts


def test_the_note_is_in_the_language_of_the_page(site_with: SiteMaker) -> None:
    notes = {"": "So long!", "de": "Auf Wiedersehen!"}
    site = site_with(languages=("en", "de", "ar"), goodbye_notes=notes)
    site.subscribe()
    path = left(site)
    assert "So long!" in site.page(path).text
    assert "Auf Wiedersehen!" in site.page(f"{path}?lang=de").text
    assert "So long!" in site.page(f"{path}?lang=ar").text


def test_a_long_list_is_folded(site_with: SiteMaker) -> None:
    site = site_with()
    site.subscribe(topics=TOPICS)
    path = left_several(site)
    page = site.page(path)
    summaries = [words(each) for each in page.root.iter("summary")]
    assert summaries == ["English", "8 topics"]  # The first is the switch of the language.
    assert "What has changed: 8 topics" in page.text
    assert page.text.index("Undo") < page.text.index("What has changed")
    assert "Thank you for reading Northwind Letters." in page.text
    question = site.page(f"{path}/undo")
    assert "This puts everything back as it was: 8 topics" in question.text


def test_a_pause_of_everything_needs_no_list(site_with: SiteMaker) -> None:
    site = site_with()
    site.subscribe(topics=TOPICS)
    page = site.page(all_paused(site))
    assert page.heading == "Your emails are paused until 22 December 2026"
    assert "They start again by themselves that day." in page.text
    assert page.text.count("22 December 2026") == 2  # in the heading and beside Undo
    assert list(page.root.iter("li")) == []


def test_the_undo_question_can_be_answered_with_no(site: Site) -> None:
    path = left(site)
    page = site.page(f"{path}/undo")
    assert page.links["No, leave it as it is"] == path
    assert site.page(path).heading == "You’re unsubscribed from Weekly news"


def test_the_language_switch_of_the_undo_question_stays_on_it(site_with: SiteMaker) -> None:
    site = site_with(languages=("en", "de"))
    site.subscribe()
    path = f"{left(site)}/undo"
    assert site.page(path).links["Deutsch"] == f"{path}?lang=de"


def test_what_else_is_sent_to_an_unknown_address_is_not_claimed(site: Site) -> None:
    claim = "You won’t get any more newsletters from us."
    assert claim not in site.page(left(site, email="new@example.org")).text
    assert claim in site.page(left(site, "all", "new@example.org")).text
