"""Fewer emails or a pause on the unsubscribe page, never more, and the receipt."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support import make
from tests.support.page import Page
from tests.support.site import ALL, THIS, Site, link
from tests.support.web_fixtures import SiteMaker

pytestmark = pytest.mark.pages

FEWER = "Do this instead"
CAPS = ["At most once a week", "At most once a month"]
PAUSES = ["2 weeks", "1 month", "3 months"]
UNSUBSCRIBED = "You’re already unsubscribed from Weekly news"


def reduce(site: Site, choice: str, path: str = "") -> Page:
    """Make a choice on the page, press the button, and return the receipt."""
    page = site.page(path or link())
    page.choose(choice)
    return site.press_and_follow(page, FEWER)


def subscription(site: Site, slug: str = "weekly-news", email: str = "ada@example.org") -> Any:
    """Return the record of one subscription."""
    return site.subscriptions(email)[slug]


def test_the_page_offers_five_choices_and_preselects_none(site: Site) -> None:
    page = site.page(link())
    assert "What would suit you better? Less often At most once a week" in page.text
    assert page.labels == CAPS + PAUSES
    assert page.chosen == []
    for date in ("6 December 2026", "22 December 2026", "22 February 2027"):
        assert f"Starts again on {date}" in page.text


@pytest.mark.parametrize(
    ("cadence", "caps"), [("irregular", CAPS), ("weekly", CAPS[1:]), ("monthly", [])]
)
def test_only_caps_below_the_topics_cadence_are_offered(
    site: Site, cadence: str, caps: list[str]
) -> None:
    with site.database.transaction() as session:
        make.topic(session, "letter", cadence=cadence)
        make.subscriber(session, "ada@example.org", "letter")
    assert site.page(link(topic="letter")).labels == caps + PAUSES


def test_only_choices_below_the_current_one_are_offered(site: Site) -> None:
    reduce(site, "At most once a week")
    page = site.page(link())
    assert "Now: Weekly news, at most once a week" in page.text
    assert page.labels == CAPS[1:] + PAUSES
    reduce(site, "1 month")
    page = site.page(link())
    assert "Now: Weekly news, at most once a week (paused until 22 December 2026)" in page.text
    assert page.labels == [*CAPS[1:], "3 months"]
    reduce(site, "3 months")
    reduce(site, "At most once a month")
    page = site.page(link())
    assert page.labels == []
    assert page.buttons == [THIS, ALL]


@pytest.mark.parametrize(
    ("choice", "frequency", "heading"),
    [
        ("At most once a week", "weekly", "You’ll get Weekly news at most once a week"),
        ("At most once a month", "monthly", "You’ll get Weekly news at most once a month"),
    ],
)
def test_fewer_emails_set_a_cap(site: Site, choice: str, frequency: str, heading: str) -> None:
    receipt = reduce(site, choice)
    assert receipt.heading == heading
    assert subscription(site) == ("subscribed", frequency, None)
    assert subscription(site, "product-news") == ("subscribed", "every", None)
    assert site.events()[-1] == ("reduced", "weekly-news")


@pytest.mark.parametrize(
    ("choice", "day", "month", "year", "written"),
    [
        ("2 weeks", 6, 12, 2026, "6 December 2026"),
        ("1 month", 22, 12, 2026, "22 December 2026"),
        ("3 months", 22, 2, 2027, "22 February 2027"),
    ],
)
def test_a_pause_ends_at_the_start_of_the_day_shown(
    site: Site, choice: str, day: int, month: int, year: int, written: str
) -> None:
    receipt = reduce(site, choice)
    assert receipt.heading == f"Weekly news is paused until {written}"
    assert "It starts again by itself that day." in receipt.text
    end = make.NOW.replace(year=year, month=month, day=day, hour=0, minute=0)
    assert subscription(site) == ("subscribed", "every", end)
    assert site.events()[-1] == ("paused", "weekly-news")


def test_a_reduction_is_recorded_with_its_campaign(site: Site) -> None:
    reduce(site, "At most once a week")
    (row,) = [row for row in site.rows()["ledger"] if "reduced" in row]
    assert {"page", "2026-47", "weekly-news"} <= set(map(str, row))


def test_the_receipt_lists_the_topics_and_offers_undo_and_unsubscribe(site: Site) -> None:
    receipt = reduce(site, "At most once a week")
    assert "Your topics: Product news Weekly news, at most once a week" in receipt.text
    assert "We’ll email you a confirmation." in receipt.text
    assert "You can do this until 22 December 2026." in receipt.text
    assert receipt.buttons == ["Undo", THIS]
    assert "why" not in receipt.text
    assert receipt.links["All your email preferences"].startswith("/p/")


def test_the_receipt_of_a_pause_shows_its_end(site: Site) -> None:
    receipt = reduce(site, "2 weeks")
    assert "Weekly news (paused until 6 December 2026)" in receipt.text
    assert receipt.buttons == ["Undo", THIS]


@pytest.mark.parametrize("choice", CAPS + PAUSES)
def test_undo_restores_the_exact_previous_state(site: Site, choice: str) -> None:
    before = subscription(site)
    receipt = reduce(site, choice)
    undone = site.press_and_follow(receipt, "Undo")
    assert undone.heading == "Everything is as it was"
    assert undone.buttons == [THIS]
    assert subscription(site) == before
    assert site.press(receipt, "Undo").location  # a second time changes nothing
    assert [event for event, _ in site.events()].count("undone") == 1


def test_undo_restores_the_previous_cap(site: Site) -> None:
    reduce(site, "At most once a week")
    site.press(reduce(site, "At most once a month"), "Undo")
    assert subscription(site) == ("subscribed", "weekly", None)


def test_undo_restores_the_previous_pause(site: Site) -> None:
    reduce(site, "2 weeks")
    before = subscription(site)
    site.press(reduce(site, "3 months"), "Undo")
    assert subscription(site) == before


def test_the_undo_link_of_an_email_asks_first(site: Site) -> None:
    page = site.page(link())
    page.choose("At most once a month")
    path = site.press(page, FEWER).location
    asking = site.page(f"{path}/undo")
    assert asking.heading == "Undo your change?"
    assert "You’ll get every Weekly news email, as before." in asking.text
    assert subscription(site) == ("subscribed", "monthly", None)
    assert site.press_and_follow(asking, "Undo").heading == "Everything is as it was"
    assert subscription(site) == ("subscribed", "every", None)


def test_undo_after_thirty_days_is_too_late(site: Site) -> None:
    receipt = reduce(site, "At most once a week")
    site.now += timedelta(days=31)
    assert Page(site.press(receipt, "Undo", 410), 410).heading == "It’s too late to undo here"
    assert subscription(site) == ("subscribed", "weekly", None)


def test_undo_after_a_newer_choice_is_refused(site: Site) -> None:
    receipt = reduce(site, "At most once a week")
    reduce(site, "At most once a month")
    refused = Page(site.press(receipt, "Undo", 409), 409)
    assert "the latest choice stands" in refused.text
    assert subscription(site) == ("subscribed", "monthly", None)


def test_the_receipt_offers_to_unsubscribe(site: Site) -> None:
    receipt = reduce(site, "At most once a week")
    left = site.press_and_follow(receipt, THIS)
    assert left.heading == "You’re unsubscribed from Weekly news"
    assert site.unsubscribed() == ["weekly-news"]


def test_the_receipt_can_be_reloaded(site: Site) -> None:
    page = site.page(link())
    page.choose("2 weeks")
    path = site.press(page, FEWER).location
    before, first = site.rows(), site.page(path).text
    assert [site.page(path).text for _ in range(3)] == [first] * 3
    assert site.rows() == before


def test_choosing_nothing_is_an_error_linked_to_the_first_choice(site: Site) -> None:
    before = site.rows()
    page = Page(site.press(site.page(link()), FEWER, 400), 400)
    assert page.title == f"Error: {THIS} – Northwind Letters"
    assert page.text.startswith("There is a problem Choose what would suit you better.")
    target = page.links["Choose what would suit you better."]
    assert target == f"#{page.field(CAPS[0]).get('id')}"
    described = [each.get("aria-describedby") for each in page.root.iter("fieldset")]
    assert described == ["less-problem"] * 2
    assert page.buttons == [THIS, ALL, FEWER]
    assert site.rows() == before


@pytest.mark.parametrize(
    "choice", ["", "every", "off", "WEEKLY", "2-years", "weekly\n", "weekly,monthly", "\x00"]
)
def test_an_unknown_choice_changes_nothing(site: Site, choice: str) -> None:
    before = site.rows()
    answer = site.post(f"{link()}/less", data={"choice": choice})
    assert Page(answer, 400).title.startswith("Error: ")
    assert site.rows() == before


def test_a_stale_page_cannot_raise_the_frequency(site: Site) -> None:
    page = site.page(link())
    page.choose("At most once a week")
    reduce(site, "At most once a month")
    shown = site.press_and_follow(page, FEWER)
    assert "Now: Weekly news, at most once a month" in shown.text
    assert subscription(site) == ("subscribed", "monthly", None)


def test_a_shorter_pause_does_not_shorten_a_longer_one(site: Site) -> None:
    page = site.page(link())
    page.choose("2 weeks")
    reduce(site, "3 months")
    before = subscription(site)
    shown = site.press_and_follow(page, FEWER)
    assert "paused until 22 February 2027" in shown.text
    assert subscription(site) == before


def test_pressing_twice_makes_one_change_and_one_email(site: Site) -> None:
    page = site.page(link())
    page.choose("1 month")
    first, second = site.press(page, FEWER), site.press(page, FEWER)
    assert first.location.startswith("/r/")
    assert second.location == link()
    assert [event for event, _ in site.events()].count("paused") == 1
    assert len(site.rows()["outbox"]) == 1


def test_an_unsubscribed_topic_cannot_be_reduced(site: Site) -> None:
    page = site.page(link())
    page.choose("At most once a week")
    site.post(link())
    before = subscription(site)
    assert site.page(link()).labels == []
    assert site.press_and_follow(page, FEWER).heading == UNSUBSCRIBED
    assert subscription(site) == before
    assert site.unsubscribed() == ["weekly-news"]


def test_a_reduction_keeps_an_unsubscribe_from_all(site: Site) -> None:
    page = site.page(link())
    page.choose("2 weeks")
    site.press(page, ALL)
    before = site.events()
    shown = site.press_and_follow(page, FEWER)
    assert shown.heading == "You’re already unsubscribed from everything"
    assert shown.buttons == []
    assert site.events() == before


def test_a_reduction_by_an_unknown_recipient_changes_nothing(site: Site) -> None:
    path = link(email="new@example.org")
    assert site.page(path).labels == []
    answer = site.post(f"{path}/less", data={"choice": "weekly"})
    assert answer.location == path
    assert site.page(answer.location).heading == THIS
    assert site.events("new@example.org") == []
    assert site.rows()["outbox"] == []


def test_an_unknown_recipient_can_cap_an_opt_out_topic(site: Site) -> None:
    site.add_topic("town-letter", policy="opt_out")
    path = link(email="new@example.org", topic="town-letter")
    receipt = reduce(site, "At most once a month", path)
    assert receipt.heading == "You’ll get Town letter at most once a month"
    assert "We have no address on file" in receipt.text
    assert subscription(site, "town-letter", "new@example.org") == ("subscribed", "monthly", None)


def test_an_archived_topic_cannot_be_reduced(site: Site) -> None:
    page = site.page(link())
    page.choose("At most once a week")
    site.archive("weekly-news")
    before = subscription(site)
    shown = site.press_and_follow(page, FEWER)
    assert shown.heading == "We no longer send Weekly news"
    assert shown.labels == []
    assert subscription(site) == before


def test_a_private_topic_can_be_capped_and_paused(site: Site) -> None:
    with site.database.transaction() as session:
        make.topic(session, "partners", visibility="hidden")
        make.subscriber(session, "ada@example.org", "partners")
    path = link(topic="partners")
    assert site.page(path).labels == CAPS + PAUSES
    assert reduce(site, "At most once a week", path).heading.startswith(
        "You’ll get Partners at most"
    )


def test_a_forwarded_email_can_reduce_but_never_increase(site: Site) -> None:
    """Anyone with the link can cap and pause; the page does not show the address."""
    page = site.page(link())
    assert "ada@example.org" not in page.html
    reduce(site, "At most once a week")
    for choice in ("every", "weekly"):
        site.post(f"{link()}/less", data={"choice": choice})
    assert subscription(site) == ("subscribed", "weekly", None)


def test_a_single_topic_can_be_capped(site_with: SiteMaker) -> None:
    site = site_with()
    site.subscribe(topics=("weekly-news",))
    receipt = reduce(site, "At most once a month")
    assert receipt.buttons == ["Undo", THIS]
    assert "Your topics: Weekly news, at most once a month" in receipt.text


def test_a_reduction_is_confirmed_by_email(site: Site) -> None:
    reduce(site, "At most once a week")
    site.now += timedelta(minutes=2)
    (message,) = site.emails()
    assert message["Subject"] == "You’ll get Weekly news at most once a week"
