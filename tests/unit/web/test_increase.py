"""An increase on the preferences page always sends the subscriber a notice with undo."""

from datetime import timedelta
from typing import Any

import pytest

from preference_center.core import topics
from preference_center.core.vocab import Frequency, Pause
from tests.support import mailer, make
from tests.support.page import Page
from tests.support.site import Site, link, path_in
from tests.support.web_fixtures import SiteMaker

PREFERENCES = link("preferences")
EVERY, MONTHLY = "Every email", "At most once a month"
NO_EMAIL = "We can’t email you, so this stays as it was: Weekly news"
TOO_OFTEN = "Please try again tomorrow. Weekly news"
HOUR = timedelta(hours=1)


def reduce(site: Site, choice: Frequency | Pause = Frequency.MONTHLY) -> None:
    """Reduce ada's topic, without a pending notice."""
    with site.database.transaction() as session:
        make.reduce(session, choice)


def save(site: Site, often: str = EVERY, path: str = PREFERENCES) -> Page:
    """Choose the frequency of the weekly news, and save."""
    page = site.page(path)
    page.select("often-weekly-news", often)
    return site.press_and_follow(page, "Save")


def resume(site: Site) -> Page:
    page = site.page(PREFERENCES)
    page.tick("Resume now")
    return site.press_and_follow(page, "Save")


@pytest.mark.parametrize("confirmations", [{"page"}, set()])
@pytest.mark.parametrize("confirm", [True, False])
def test_an_increase_always_sends_a_notice_at_once(
    site_with: SiteMaker, confirm: bool, confirmations: set[str]
) -> None:
    site = site_with(confirmations=frozenset(confirmations))
    site.add_topic("weekly-news", change_notices=confirm)
    with site.database.transaction() as session:
        make.subscriber(session)
    reduce(site)
    before = site.subscriptions()
    assert "Weekly news: every email (was: at most once a month)" in save(site).text
    (message,) = site.emails()
    assert message["Subject"] == "You’ll get every Weekly news email"
    asked = site.page(f"{path_in(message, '/r/', '/undo')}")
    assert "You’ll get Weekly news at most once a month, as before." in asked.text
    assert site.press_and_follow(asked, "Undo").heading == "Everything is as it was"
    assert site.subscriptions() == before


def test_resuming_sends_a_notice_at_once_and_can_be_undone(center: Site) -> None:
    reduce(center, Pause.ONE_MONTH)
    before = center.subscriptions()
    resume(center)
    (message,) = center.emails()
    assert message["Subject"] == "Weekly news has started again"
    center.press(center.page(path_in(message, "/r/", "/undo")), "Undo")
    assert center.subscriptions() == before


def test_the_notice_covers_only_its_own_form(center: Site) -> None:
    """Otherwise lifting a cap right after setting it would cancel both emails."""
    save(center, MONTHLY)
    before = center.subscriptions()
    save(center)
    (message,) = center.emails()
    assert message["Subject"] == "You’ll get every Weekly news email"
    center.press(center.page(path_in(message, "/r/", "/undo")), "Undo")
    assert center.subscriptions() == before
    assert center.subscriptions()["weekly-news"][1] == "monthly"


def test_a_later_change_does_not_drop_the_notice(center: Site) -> None:
    reduce(center)
    save(center)
    page = center.page(PREFERENCES)
    page.choose("3 months")
    center.press(page, "Pause all emails")
    (message,) = center.emails()
    assert message["Subject"] == "You’ll get every Weekly news email"
    assert "Undo" not in mailer.plain(message)


def test_after_an_unsubscribe_only_that_is_confirmed(center: Site) -> None:
    reduce(center)
    save(center)
    center.post(link())
    center.now += HOUR
    (message,) = center.emails()
    assert message["Subject"] == "You’re unsubscribed from Weekly news"


def test_one_form_sends_one_email(center: Site) -> None:
    reduce(center)
    page = center.page(PREFERENCES)
    page.select("often-weekly-news", EVERY)
    page.untick("Product news")
    center.press(page, "Save")
    (message,) = center.emails()
    assert "Product news" in mailer.plain(message)
    center.now += HOUR
    assert center.emails() == []


def _no_address(site: Site) -> None:
    with site.database.transaction() as session:
        make.subscriber(session)
        make.set_details(session, email=None)


@pytest.mark.parametrize("smtp", [True, False])
def test_an_increase_without_email_is_refused_and_the_rest_saved(
    site_with: SiteMaker, smtp: bool
) -> None:
    site = site_with(**({} if smtp else {"smtp_url": None}))
    site.subscribe("ada@example.org")
    reduce(site)
    if smtp:
        _no_address(site)
    page = site.page(PREFERENCES)
    page.select("often-weekly-news", EVERY)
    page.select("often-product-news", MONTHLY)
    shown = site.press_and_follow(page, "Save")
    assert "Saved. Product news: at most once a month (was: every email)" in shown.text
    assert NO_EMAIL in shown.text
    assert "If you still want this, write to help@example.org and we’ll help." in shown.text
    assert site.subscriptions()["weekly-news"][1] == "monthly"
    assert site.subscriptions()["product-news"][1] == "monthly"
    assert [event for event, _ in site.events()].count("increased") == 0
    assert site.rows()["outbox"] == []


def test_a_refused_resumption_keeps_the_lower_cap_of_the_form(center: Site) -> None:
    reduce(center, Pause.ONE_MONTH)
    _no_address(center)
    page = center.page(PREFERENCES)
    page.tick("Resume now")
    page.select("often-weekly-news", MONTHLY)
    shown = center.press_and_follow(page, "Save")
    assert NO_EMAIL in shown.text
    status, frequency, paused_until = center.subscriptions()["weekly-news"]
    assert (status, frequency, paused_until is not None) == ("subscribed", "monthly", True)


def test_an_unknown_recipient_cannot_lift_a_cap_of_an_opt_out_topic(center: Site) -> None:
    center.add_topic("letter", policy="opt_out")
    path = link("preferences", "new@example.org")
    page = center.page(path)
    page.select("often-letter", MONTHLY)
    page = center.press_and_follow(page, "Save")
    page.select("often-letter", EVERY)
    assert "We can’t email you" in center.press_and_follow(page, "Save").text
    assert center.subscriptions("new@example.org")["letter"][1] == "monthly"


def test_increases_are_limited_to_three_a_day(center: Site) -> None:
    for _ in range(3):
        reduce(center)
        center.now += HOUR
        assert "every email" in save(center).text
    assert len(center.emails()) == 3
    reduce(center)
    center.now += HOUR
    page = center.page(PREFERENCES)
    page.select("often-weekly-news", EVERY)
    page.untick("Product news")
    shown = center.press_and_follow(page, "Save")
    assert TOO_OFTEN in shown.text
    assert "Product news: no emails" in shown.text
    assert center.subscriptions()["weekly-news"][1] == "monthly"
    center.now = make.NOW + timedelta(days=1, hours=1, minutes=1)
    save(center)
    assert center.subscriptions()["weekly-news"][1] == "every"


def test_many_topics_in_one_form_count_once(site_with: SiteMaker) -> None:
    site = site_with()
    slugs = tuple(f"topic-{number}" for number in range(6))
    site.subscribe("ada@example.org", topics=slugs)
    page = site.page(PREFERENCES)
    page.choose("1 month")
    site.press(page, "Pause all emails")
    path, data = site.page(PREFERENCES).form_of("Save")
    answer = site.post(path, data=data | {f"resume-{slug}": "on" for slug in slugs})
    assert len(Page(site.get(answer.location)).text.split("started again")) == 7
    (message,) = site.emails()
    assert message["Subject"] == "Your email preferences have changed"
    with site.database.transaction() as session:
        make.reduce(session, Frequency.MONTHLY, slug="topic-0")
    path, data = site.page(PREFERENCES).form_of("Save")
    site.now += HOUR
    site.post(path, data=data | {"often-topic-0": "every"})
    assert site.subscriptions()["topic-0"][1] == "every"


@pytest.mark.parametrize("what", ["no_email", "too_often", "complained"])
def test_a_query_with_an_unknown_topic_shows_nothing(center: Site, what: str) -> None:
    plain = center.page(PREFERENCES).text
    assert center.page(f"{PREFERENCES}?{what}=no-such&other=weekly-news").text == plain


def test_an_archived_topic_is_not_resumed(center: Site) -> None:
    reduce(center, Pause.ONE_MONTH)
    path, data = center.page(PREFERENCES).form_of("Save")
    with center.database.transaction() as session:
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
    before: Any = center.subscriptions()
    assert center.post(path, data=data | {"resume-weekly-news": "on"}).status_code == 409
    assert center.subscriptions() == before
