"""A signed-in link starts topics at once and lifts the person's own unsubscribes, for 15 minutes.

It never lifts a complaint, a bounce, an erasure, a stop of the address, or a stop by anyone else.
"""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from preference_center.core import erasure, topics
from preference_center.core.vocab import OutboxKind, Pause, Source, TopicPolicy
from preference_center.links import signing
from preference_center.links.server import SIGNED_IN_LIFETIME, SignedIn, write_signed_in
from preference_center.store import Database
from preference_center.store.tables import Base, OutboxRow
from tests.support import make
from tests.support.page import Page
from tests.support.site import ALL, Site, link, path_in
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

ADA = "ada@example.org"
EARLIER = make.NOW - timedelta(days=3)
EVERY = ("subscribed", "every", None)
ALL_LEFT = "You’re unsubscribed from everything"
TICK = "Tick a topic to start it."


def signed_in(email: str = ADA, key: str = make.SERVER_KEY) -> str:
    """Return the path of a signed-in link that was minted now."""
    minted = SignedIn(make.NOW.date(), make.id_of(email), make.NOW + SIGNED_IN_LIFETIME)
    return f"/p/{write_signed_in(minted, [key])}"


def unsubscribe(
    site: Site, source: str, slug: str | None = "weekly-news", scope: Any = "all"
) -> None:
    with site.database.transaction() as session:
        make.unsubscribe(session, ADA, slug, scope, source=source, at=EARLIER)


def tick(site: Site, *names: str, path: str = "") -> Page:
    """Tick topics on the page of a signed-in link, and return the page after saving."""
    page = site.page(path or signed_in())
    for name in names:
        page.tick(name)
    return site.press_and_follow(page, "Save")


def queued(database: Database) -> list[OutboxKind]:
    with database.reading() as session:
        return list(session.scalars(select(OutboxRow.kind)))


def consents(site: Site) -> dict[str, tuple[str, str, str]]:
    found = site.subscriber()
    assert found is not None
    return {
        slug: (each.source, each.basis, each.consent_source)
        for slug, each in found.subscriptions.items()
        if each.status == "subscribed"
    }


def test_ticking_a_topic_starts_it_at_once(center: Site) -> None:
    page = center.page(signed_in())
    assert page.heading == "Your email preferences"
    assert page.described("Town letter") == ""
    assert TICK in page.text
    assert "we’ll email you a link to confirm" not in page.text
    shown = tick(center, "Town letter")
    assert "Saved. Town letter: every email" in shown.text
    assert "Check your email" not in shown.text
    assert center.subscriptions()["town-letter"] == EVERY
    assert consents(center)["town-letter"] == ("page", "consent", "signed-in link")
    assert center.events()[-1] == ("subscribed", "town-letter")


def test_the_ledger_keeps_the_campaign_and_the_wording(center: Site) -> None:
    with center.database.transaction() as session:
        topics.describe(topics.get(session, "town-letter"), "en", "Town letter", "What is on.")
    tick(center, "Town letter")
    rows = center.rows()
    assert rows["wordings"][-1][1] == "Tick a topic to start it. Town letter: What is on."
    ledger = Base.metadata.tables["ledger"]
    with center.database.reading() as session:
        last = session.execute(select(ledger).order_by(ledger.c.seq.desc())).first()
    assert last is not None
    assert (last.campaign, last.source) == ("signed-in", "page")
    assert last.wording is not None


def test_a_change_is_announced_by_one_email_with_undo(center: Site) -> None:
    before = center.subscriptions()
    page = center.page(signed_in())
    page.tick("Town letter")
    page.untick("Product news")
    center.press(page, "Save")
    (message,) = center.emails()
    undo = center.page(path_in(message, "/r/", "/undo"))
    center.press_and_follow(undo, undo.buttons[0])
    assert center.subscriptions() == before


def test_the_page_offers_undo(center: Site) -> None:
    unsubscribe(center, "page", None)
    before = center.subscriptions()
    shown = tick(center, "Weekly news")
    assert center.press_and_follow(shown, "Undo").heading == ALL_LEFT
    assert center.subscriptions() == before
    found = center.subscriber()
    assert found is not None
    assert list(found.suppressions) == ["all"]


@pytest.mark.parametrize("source", ["page", "one-click", "mailto"])
def test_an_own_unsubscribe_from_a_topic_is_lifted(center: Site, source: str) -> None:
    unsubscribe(center, source)
    tick(center, "Weekly news")
    assert center.subscriptions()["weekly-news"] == EVERY
    assert center.events()[-1] == ("resubscribed", "weekly-news")


@pytest.mark.parametrize("source", ["page", "one-click", "mailto"])
def test_after_an_own_unsubscribe_from_everything_only_what_is_ticked_starts(
    center: Site, source: str
) -> None:
    center.add_topic("silence", policy=TopicPolicy.OPT_OUT)
    unsubscribe(center, source, None)
    shown = tick(center, "Weekly news", "Town letter")
    assert "Weekly news: every email" in shown.text
    assert "Town letter: every email" in shown.text
    assert {slug: each[0] for slug, each in center.subscriptions().items()} == {
        "product-news": "unsubscribed",
        "silence": "unsubscribed",
        "town-letter": "subscribed",
        "weekly-news": "subscribed",
    }
    found = center.subscriber()
    assert found is not None
    assert not found.suppressions


@pytest.mark.parametrize("source", ["import", "api", "console", "cli", "provider"])
@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_a_stop_by_another_party_needs_an_emailed_link(
    center: Site, source: str, slug: str | None
) -> None:
    unsubscribe(center, source, slug)
    before = center.subscriptions(), center.events()
    shown = tick(center, "Weekly news")
    assert "Check your email to start Weekly news. We’ve sent a link." in shown.text
    assert (center.subscriptions(), center.events()) == before
    assert queued(center.database) == [OutboxKind.OPT_IN_REQUEST]


def test_an_own_stop_that_a_fast_clock_recorded_needs_an_emailed_link(center: Site) -> None:
    with center.database.transaction() as session:
        make.unsubscribe(session, at=make.NOW + timedelta(seconds=30))
    assert "Check your email to start Weekly news." in tick(center, "Weekly news").text


def test_a_page_without_a_topic_to_start_does_not_ask_to_tick_one(site: Site) -> None:
    page = site.page(signed_in())
    assert TICK not in page.text
    assert not [name for name in page.form_of("Save")[1] if name.startswith("wording")]


def test_topics_of_both_kinds_are_told_apart(center: Site) -> None:
    unsubscribe(center, "import")
    page = center.page(signed_in())
    assert f"{TICK} For some topics, we’ll email you a link to confirm." in page.text
    shown = tick(center, "Weekly news", "Town letter")
    assert "Town letter: every email" in shown.text
    assert "Check your email to start Weekly news." in shown.text


def test_an_own_stop_of_everything_does_not_cover_a_stop_by_another_party(center: Site) -> None:
    unsubscribe(center, "import")
    unsubscribe(center, "page", None)
    shown = tick(center, "Weekly news", "Product news")
    assert "Product news: every email" in shown.text
    assert "Check your email to start Weekly news." in shown.text
    statuses = {slug: each[0] for slug, each in center.subscriptions().items()}
    assert statuses["product-news"] == "subscribed"
    assert statuses["weekly-news"] == statuses["town-letter"] == "unsubscribed"


@pytest.mark.parametrize("slug", ["weekly-news", None])
def test_an_own_stop_that_another_party_repeated_needs_an_emailed_link(
    center: Site, slug: str | None
) -> None:
    unsubscribe(center, "page", slug)
    unsubscribe(center, "console", slug)
    assert "Check your email" in tick(center, "Weekly news").text


@pytest.mark.parametrize(
    ("source", "slug", "scope"),
    [("complaint", "product-news", "all"), ("complaint", None, "all")],
)
def test_after_a_complaint_nothing_starts(
    center: Site, source: str, slug: str | None, scope: str
) -> None:
    unsubscribe(center, source, slug, scope)
    page = center.page(signed_in())
    assert "One of our emails to this address was reported as spam" in page.text
    refuse_to_start(center)


def refuse_to_start(site: Site) -> None:
    """Check that a form that is made by hand starts nothing."""
    page = site.page(signed_in("bob@example.org"))
    digests = page.form_of("Save")[1]
    data = {
        "topic": "town-letter",
        "was-town-letter": "off",
        "on-town-letter": "on",
        "wording-town-letter": digests.get("wording-town-letter", ""),
    }
    assert data["wording-town-letter"]
    before = site.subscriptions(), site.events()
    site.post(f"{signed_in()}/save", data=data)
    assert (site.subscriptions(), site.events()) == before


@pytest.mark.parametrize("source", ["bounce", "import", "cli"])
def test_a_stop_of_the_address_is_not_lifted(center: Site, source: str) -> None:
    unsubscribe(center, source, None, "address")
    refuse_to_start(center)
    wanted = [OutboxKind.OPT_IN_REQUEST] if source == "bounce" else []
    assert queued(center.database) == wanted


def test_an_erasure_is_not_lifted(center: Site) -> None:
    with center.database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, EARLIER)
    page = center.page(signed_in())
    assert "We have no address on file for you" in page.text
    refuse_to_start(center)
    assert queued(center.database) == []


def test_without_an_address_on_file_topics_start_and_no_email_is_queued(center: Site) -> None:
    path = signed_in("new@example.org")
    shown = tick(center, "Town letter", path=path)
    assert "Saved. Town letter: every email" in shown.text
    assert center.subscriptions("new@example.org") == {"town-letter": EVERY}
    assert queued(center.database) == []


def test_without_smtp_topics_start(site_with: SiteMaker) -> None:
    site = site_with(smtp_url=None)
    site.subscribe(ADA)
    site.add_topic("town-letter")
    assert "Saved" in tick(site, "Town letter").text
    assert queued(site.database) == []


def test_a_pause_is_ended_without_limits(center: Site) -> None:
    with center.database.transaction() as session:
        make.set_details(session, email=None)
        make.reduce(session, Pause.ONE_MONTH)
    page = center.page(signed_in())
    assert "no topic can be started" not in page.text
    page.tick("Weekly news Resume now")
    center.press(page, "Save")
    assert center.subscriptions()["weekly-news"] == EVERY


def test_a_text_that_has_changed_since_the_page_was_shown_needs_an_emailed_link(
    center: Site,
) -> None:
    page = center.page(signed_in())
    page.tick("Town letter")
    with center.database.transaction() as session:
        topics.describe(topics.get(session, "town-letter"), "en", "Adverts", "Offers each day.")
    assert "Check your email to start Adverts." in center.press_and_follow(page, "Save").text


def test_choices_are_kept_when_the_language_is_switched(center: Site) -> None:
    page = center.page(signed_in())
    page.tick("Town letter")
    german = center.press_and_follow(page, "Deutsch")
    center.press(german, german.buttons[-2])
    assert center.subscriptions()["town-letter"] == EVERY


def test_the_page_is_not_counted(center: Site) -> None:
    center.page(signed_in())
    assert center.page_views() == {}


# After 15 minutes.


@pytest.mark.parametrize("home_url", [None, "https://www.example.org"])
def test_an_expired_link_says_so_kindly(site_with: SiteMaker, home_url: str | None) -> None:
    site = site_with(home_url=home_url)
    site.subscribe(ADA)
    site.now += timedelta(minutes=14, seconds=59)
    site.page(signed_in())
    site.now += timedelta(seconds=1)
    page = site.page(signed_in(), 410)
    assert page.heading == "This link has expired"
    assert "sign in again at Northwind Letters" in page.text
    assert ADA[1:] not in page.text
    assert ("https://www.example.org" in page.links.values()) is (home_url is not None)
    assert page.buttons == ["Email me a link"]


@pytest.mark.parametrize("scope", ["topic", "all"])
def test_leaving_with_an_expired_link_is_applied(center: Site, scope: str) -> None:
    center.now += timedelta(days=100)
    data = {"scope": scope, "topic": "weekly-news"}
    answer = center.post(f"{signed_in()}/leave", data=data)
    assert center.page(answer.location).heading.startswith("You’re unsubscribed from")
    assert center.unsubscribed() == ["weekly-news" if scope == "topic" else "all"]
    again = center.post(f"{signed_in()}/leave", data=data)
    assert center.page(again.location).heading == "Your email preferences"


def test_a_form_that_is_sent_after_15_minutes_loses_no_choice(center: Site) -> None:
    page = center.page(signed_in())
    page.untick("Weekly news")
    page.tick("Town letter")
    center.now += timedelta(minutes=15)
    shown = center.press_and_follow(page, "Save")
    assert "Saved. Weekly news: no emails" in shown.text
    assert "Check your email to start Town letter. We’ve sent a link." in shown.text
    assert "town-letter" not in center.subscriptions()
    assert center.unsubscribed() == ["weekly-news"]


def test_choices_are_kept_when_the_language_is_switched_after_15_minutes(center: Site) -> None:
    page = center.page(signed_in())
    page.untick("Weekly news")
    center.now += timedelta(minutes=15)
    assert center.press_and_follow(page, "Deutsch").chosen == ["Product news"]


# Who can mint such a link (S8).


def test_a_senders_key_cannot_sign_in(center: Site) -> None:
    before = center.rows()
    for forged in (
        signed_in(key=make.LINK_KEY),
        f"{signed_in()}x",
        signed_in()[:-1],
    ):
        assert center.get(forged).status_code == 400
        assert center.post(f"{forged}/save", data={"topic": "town-letter"}).status_code == 400
        assert center.post(f"{forged}/leave", data={"scope": "all"}).status_code == 400
    assert center.rows() == before


@pytest.mark.parametrize("expires", ["0", "01795356300", "-1", "", "999999999999", "1e9", "1.2"])
def test_a_link_that_is_signed_but_not_canonical_is_refused(center: Site, expires: str) -> None:
    content = signing.payload(make.NOW.date(), make.id_of(), expires)
    text = signing.sign("signed-in", content, [make.SERVER_KEY])
    assert center.get(f"/p/{text}").status_code == 400


@pytest.mark.parametrize("campaign", ["signed-in", "2026-47"])
def test_a_preferences_link_starts_nothing_whatever_its_campaign_and_form(
    center: Site, campaign: str
) -> None:
    page = center.page(signed_in())
    page.tick("Town letter")
    path, data = page.form_of("Save")
    senders = link("preferences", campaign=campaign)
    answer = center.post(path.replace(signed_in(), senders), data=data)
    assert "Check your email to start Town letter." in center.page(answer.location).text
    assert "town-letter" not in center.subscriptions()
    assert center.events()[-1][0] == "subscribed"


def test_everything_can_be_left(center: Site) -> None:
    page = center.page(signed_in())
    assert center.press_and_follow(page, ALL).heading == ALL_LEFT
