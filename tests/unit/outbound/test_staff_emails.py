"""Weekly figures and alerts: who gets them, when, and what they say."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from preference_center.core import campaigns, feed, fetches, reasons
from preference_center.core.apply import apply_one
from preference_center.core.campaigns import Campaign
from preference_center.core.change import Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.staff import emails, members
from preference_center.core.staff.emails import Wanted
from preference_center.core.staff_vocab import StaffRole
from preference_center.core.vocab import FetchKind, ReasonCode, Source
from preference_center.outbound.staff_emails import StaffEmails
from preference_center.store import Database
from tests.support import make
from tests.support.mailer import Mailer, html, links, plain

ADA, EVE = "ada@example.org", "eve@example.org"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, 7, tzinfo=BERLIN)


@pytest.fixture
def mailer(database: Database) -> Mailer:
    """Return a mailer, on a database where ada wants both, and eve nothing."""
    with database.transaction() as session:
        make.topic(session)
        for email in (ADA, EVE):
            member, _ = members.invite(session, email, StaffRole.ADMIN, make.NOW, by=None)
            wanted = email == ADA
            emails.choose(session, member.id, Wanted(wanted, wanted), make.NOW)
    return Mailer(database)


def choose(mailer: Mailer, wanted: Wanted, at: datetime) -> None:
    with mailer.database.transaction() as session:
        [ada, _] = members.list_all(session)
        emails.choose(session, ada.id, wanted, at)


def sent(mailer: Mailer, at: datetime) -> list[str]:
    """Let two workers look, send what is due, and return the subjects of all emails so far."""
    fetch_all(mailer, at)
    for _ in range(2):
        StaffEmails(mailer.database, BERLIN, lambda: at).queue()
    return mailer.send_due(at - make.NOW)


def fetch_all(mailer: Mailer, at: datetime) -> None:
    """Let a sender fetch all unsubscribes, so that no check is bad."""
    with mailer.database.transaction() as session:
        for kind in (FetchKind.PREFERENCES, FetchKind.SUPPRESSIONS):
            fetches.record(session, kind, fetches.EVERYTHING, at)


def leave(mailer: Mailer, count: int, campaign: str, at: datetime, sent: int) -> None:
    """Record a mailing of yesterday after which some subscribers have left."""
    with mailer.database.transaction() as session:
        day = (at - DAY).date()
        campaigns.record(session, Campaign("weekly-news", campaign, day, "shop", sent))
        for number in range(count):
            email = f"{campaign}{number}@example.org"
            make.subscriber(session, email, "weekly-news", since=at - 40 * DAY)
            context = make.context(Source.PAGE, at - HOUR, campaign=campaign)
            change = Unsubscribe(make.id_of(email), Target.of("weekly-news"), context)
            row = apply_one(session, change, at - HOUR).last_seq
            if not number:
                told = (ReasonCode.TOO_MANY, "", at - HOUR)
                reasons.record(session, make.id_of(email), row, *told)
        feed.number(session, at)


def test_figures_come_once_on_monday_morning_to_those_who_want_them(mailer: Mailer) -> None:
    assert sent(mailer, MONDAY - timedelta(seconds=1)) == []
    assert len(sent(mailer, MONDAY)) == 1
    assert mailer.sent[0]["To"] == ADA
    assert len(sent(mailer, MONDAY + 6 * DAY)) == 1
    assert len(sent(mailer, MONDAY + 8 * DAY)) == 2  # No worker ran on Monday.
    assert len(sent(mailer, MONDAY + 14 * DAY)) == 3


def test_those_who_choose_later_wait_for_the_next_monday(mailer: Mailer) -> None:
    choose(mailer, Wanted(figures=False, alerts=False), make.NOW)
    assert sent(mailer, MONDAY) == []
    choose(mailer, Wanted(figures=True, alerts=False), MONDAY + HOUR)
    assert sent(mailer, MONDAY + 6 * DAY) == []
    assert len(sent(mailer, MONDAY + 7 * DAY)) == 1


def test_a_choice_ends_with_the_member(mailer: Mailer) -> None:
    StaffEmails(mailer.database, BERLIN, lambda: MONDAY).queue()
    with mailer.database.transaction() as session:
        members.remove(session, ADA, by=None, now=MONDAY)
    leave(mailer, 12, "offer", MONDAY, 400)
    assert sent(mailer, MONDAY + DAY) == []
    with mailer.database.transaction() as session:
        again, _ = members.invite(session, ADA, StaffRole.ADMIN, MONDAY + DAY, by=None)
        assert emails.wanted_by(session, again.id) == Wanted(figures=False, alerts=False)


def test_figures_say_the_most_important_first(mailer: Mailer) -> None:
    leave(mailer, 5, "offer", MONDAY - 2 * DAY, 1000)
    leave(mailer, 5, "club", MONDAY - 2 * DAY, 80)
    choose(mailer, Wanted(figures=True, alerts=False), make.NOW)
    assert sent(mailer, MONDAY) == [
        "Northwind Letters, week to 22 Nov 2026: you lost 10 subscribers"
    ]
    [message] = mailer.sent
    text = plain(message)
    first = "In the last 7 days you lost 10 subscribers; in the 7 days before you gained"
    assert text.startswith(first)
    for part in (
        "lost. The campaign club lost 5 of 80, clearly more than others of Weekly news.",
        "Unsubscribed: 10 (0)",
        "fewer than 300 emails, club (Weekly news) lost the most: 5 of 80.",
        "offer (Weekly news): 5 of 1,000 unsubscribed, 5.0 of 1,000.",
        "true rate is between 2.1 and 11.7.",
        "- Too many emails: 2",
        "- Weekly news: 0",
        "The days are those from 16 Nov 2026 to 22 Nov 2026",
    ):
        assert part in text
    console = "https://mail.example.org/console/"
    assert links(message)[:2] == [console, f"{console}me"]
    assert "2.1 and 11.7" in "".join(html(message).itertext())


def test_alerts_come_once_a_day_when_something_turns_bad(mailer: Mailer) -> None:
    choose(mailer, Wanted(figures=False, alerts=True), make.NOW)
    leave(mailer, 4, "usual", MONDAY - 9 * DAY, 2000)
    now = MONDAY
    assert sent(mailer, now) == []
    leave(mailer, 12, "offer", now, 400)
    assert sent(mailer, now) == ["Northwind Letters: many unsubscribe from offer"]
    text = plain(mailer.sent[0])
    assert "offer (Weekly news): 30.0 of 1,000 unsubscribed" in text
    assert "other mailings of this topic in the last 90 days it is 2.0, between" in text
    assert len(sent(mailer, now + 20 * HOUR)) == 1
    leave(mailer, 15, "worse", now + 21 * HOUR, 400)
    assert len(sent(mailer, now + 23 * HOUR)) == 1
    assert len(sent(mailer, now + 25 * HOUR)) == 2
    assert "worse" in plain(mailer.sent[1])
    assert len(sent(mailer, now + 50 * HOUR)) == 2


def test_an_alert_that_is_over_before_it_is_sent_is_not_sent(mailer: Mailer) -> None:
    choose(mailer, Wanted(figures=False, alerts=True), make.NOW)
    leave(mailer, 2, "usual", MONDAY - 9 * DAY, 1000)
    leave(mailer, 12, "offer", MONDAY, 400)
    fetch_all(mailer, MONDAY)
    StaffEmails(mailer.database, BERLIN, lambda: MONDAY).queue()
    with mailer.database.transaction() as session:  # It was sent to many more.
        day = (MONDAY - DAY).date()
        campaigns.record(session, Campaign("weekly-news", "offer", day, "shop", 30_000))
    assert mailer.send_due(MONDAY - make.NOW) == []
