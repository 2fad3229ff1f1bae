"""What bounces do: the rules of `docs/bounces.md`, one by one (M13)."""

import multiprocessing
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import func, select

from preference_center.core import audience, bounces, erasure, subscribers, subscriptions, topics
from preference_center.core.vocab import BounceSeverity, Cadence, Event, Scope, Source
from preference_center.store import Database
from preference_center.store.tables import FailedMailing
from tests.support import make

GONE = "5.1.1"


@pytest.fixture(autouse=True)
def reader(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session)
        make.reader(session)


def fails(
    database: Database, at: datetime = make.NOW, email: str = "ada@example.org", **changes: Any
) -> str:
    """Let a delivery to somebody fail, and return what came of it."""
    values: dict[str, Any] = {
        "severity": BounceSeverity.SOFT,
        "code": "4.2.2",
        "occurred_at": at,
        "authority": "return-path",
        **changes,
    }
    with database.transaction() as session:
        return make.bounce(session, bounces.Bounce(**values), at, email)


def fails_for_good(database: Database, at: datetime = make.NOW, **changes: Any) -> str:
    return fails(database, at, severity=BounceSeverity.PERMANENT, code=GONE, **changes)


def stops(database: Database, email: str = "ada@example.org") -> list[str]:
    with database.reading() as session:
        person = subscribers.find(session, make.person(email))
        return sorted(person.suppressions) if person is not None else []


def test_one_permanent_failure_ends_marketing(database: Database) -> None:
    assert fails_for_good(database) == "suppressed"
    assert stops(database) == ["all"]
    with database.reading() as session:
        topic = topics.get(session, "weekly-news")
        told = audience.check(session, topic, "c", {make.person(): ""}, make.NOW)
        assert told[make.person()].reason == "suppressed"
        assert make.events(session)[-1] == ("unsubscribed", "all")


def test_a_providers_word_ends_every_mail_to_the_address(database: Database) -> None:
    assert fails_for_good(database, authority="provider") == "suppressed"
    assert stops(database) == ["address"]


def test_a_provider_can_say_more_than_a_return_path_did(database: Database) -> None:
    fails_for_good(database)
    assert fails_for_good(database, authority="provider") == "suppressed"
    assert stops(database) == ["address", "all"]


def test_a_failure_that_may_pass_ends_nothing(database: Database) -> None:
    assert fails(database) == "soft"
    assert stops(database) == []


def test_five_failed_mailings_in_two_weeks_are_too_many(database: Database) -> None:
    days = [make.NOW + timedelta(days=each) for each in (0, 3, 6, 10)]
    assert [fails(database, day) for day in days] == ["soft"] * 4
    assert fails(database, make.NOW + timedelta(days=14)) == "suppressed"
    assert stops(database) == ["all"]


def test_five_days_in_a_row_are_one_trouble(database: Database) -> None:
    told = [fails(database, make.NOW + timedelta(days=each)) for each in range(6)]
    assert told == ["soft"] * 6


@pytest.mark.parametrize(
    ("cadence", "topic", "told"),
    [
        (Cadence.IRREGULAR, "weekly-news", "soft"),
        (Cadence.MONTHLY, "weekly-news", "suppressed"),
        # Without a topic, the shortest window of all that the subscriber receives.
        (Cadence.MONTHLY, None, "suppressed"),
        (Cadence.IRREGULAR, None, "soft"),
    ],
)
def test_the_cadence_of_the_failed_topic_sets_the_window(
    database: Database, cadence: Cadence, topic: str | None, told: str
) -> None:
    with database.transaction() as session:
        topics.get(session, "weekly-news").cadence = cadence
    days = [make.NOW + timedelta(days=30 * turn) for turn in range(5)]
    assert [fails(database, day, topic=topic) for day in days][-1] == told


def test_an_unknown_topic_may_be_the_most_frequent_one(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, "monthly-news", cadence=Cadence.MONTHLY)
        make.reader(session, "ada@example.org", "weekly-news", "monthly-news")
    days = [make.NOW + timedelta(days=30 * turn) for turn in range(5)]
    assert [fails(database, day) for day in days][-1] == "soft"
    assert fails(database, days[-1], topic="monthly-news") == "soft"
    more = [days[-1] + timedelta(days=30 * turn) for turn in range(1, 5)]
    told = [fails(database, day, topic="monthly-news") for day in more]
    assert told == ["soft"] * 3 + ["suppressed"]


def _claim(
    database: Database, *days: int, slug: str = "weekly-news", release: bool = False
) -> None:
    with database.transaction() as session:
        topic, ids = topics.get(session, slug), [make.person()]
        for number in days:
            at = make.NOW + timedelta(days=number)
            audience.claim(session, topic, f"{slug} {number}", ids, at)
            if release:
                audience.release(session, topic, f"{slug} {number}", ids, at)


MONTHS = [0, 30, 60, 90, 120]


def _fails_monthly(database: Database) -> str:
    return [fails(database, make.NOW + timedelta(days=each)) for each in MONTHS][-1]


def test_claims_make_failures_count_for_half_a_year(database: Database) -> None:
    _claim(database, *MONTHS)
    assert _fails_monthly(database) == "suppressed"


def test_a_claim_of_any_topic_without_a_failure_resets(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, "ada@example.org", "offers")
    _claim(database, *MONTHS)
    _claim(database, 45, slug="offers")
    assert _fails_monthly(database) == "soft"


def test_a_released_claim_resets_nothing(database: Database) -> None:
    _claim(database, *MONTHS)
    _claim(database, 45, release=True)
    assert _fails_monthly(database) == "suppressed"


def _deliver(database: Database, *days: int) -> None:
    with database.transaction() as session:
        for number in days:
            day = (make.NOW + timedelta(days=number)).date()
            bounces.record_deliveries(session, {make.person(): day})


def test_a_delivery_resets(database: Database) -> None:
    days = [make.NOW + timedelta(days=each) for each in (0, 3, 6, 10, 14, 18, 22, 24)]
    assert [fails(database, day) for day in days[:3]] == ["soft"] * 3
    _deliver(database, 9, 8)
    assert [fails(database, day) for day in days[3:]] == ["soft"] * 4 + ["suppressed"]


def test_a_known_delivery_makes_failures_count_for_half_a_year(database: Database) -> None:
    _deliver(database, -30)
    assert _fails_monthly(database) == "suppressed"


def test_of_who_was_erased_no_delivery_is_noted(database: Database) -> None:
    _deliver(database, 0)
    with database.transaction() as session:
        erasure.erase(session, make.person(), Source.CLI, make.NOW)
    _deliver(database, 1)
    with database.reading() as session:
        person = subscribers.find(session, make.person())
        assert person is not None
        assert person.delivered_on is None


def test_a_failure_of_another_time_zone_is_of_its_utc_day(database: Database) -> None:
    tokyo = timezone(timedelta(hours=9))
    at = datetime(2026, 11, 23, 8, 0, tzinfo=tokyo)
    fails(database, at.astimezone(UTC) + timedelta(hours=1), occurred_at=at)
    with database.reading() as session:
        assert session.scalars(select(FailedMailing.day)).one() == date(2026, 11, 22)


def test_a_failure_of_tomorrow_is_todays(database: Database) -> None:
    fails(database, occurred_at=make.NOW + timedelta(days=3))
    with database.reading() as session:
        assert session.scalars(select(FailedMailing.day)).one() == make.NOW.date()


@pytest.mark.parametrize("order", [(0, 7, 14, 21, 28), (28, 21, 14, 7, 0), (14, 0, 28, 7, 21)])
def test_reports_may_come_in_any_order(database: Database, order: tuple[int, ...]) -> None:
    at = make.NOW + timedelta(days=29)
    days = [make.NOW + timedelta(days=each) for each in order]
    told = [fails(database, at, occurred_at=day) for day in days for _ in range(2)]
    assert told == ["soft"] * 8 + ["suppressed", "duplicate"]


def test_the_same_day_counts_once(database: Database) -> None:
    for _ in range(9):
        assert fails(database) == "soft"
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(FailedMailing)) == 1


def test_a_suppression_forgets_the_failures_before_it(database: Database) -> None:
    fails(database)
    fails_for_good(database, make.NOW + timedelta(days=1))
    with database.reading() as session:
        row = session.scalars(select(FailedMailing)).one()
        assert (row.severity, row.ended_domain) == ("permanent", "example.org")


def test_after_a_return_the_count_begins_anew(database: Database) -> None:
    fails_for_good(database)
    with database.transaction() as session:
        person = subscribers.lock(session, make.person(), make.NOW)
        subscriptions.remove_suppression(
            session, person, Scope.ALL, Event.LIFTED, make.context(Source.CLI)
        )
    later = make.NOW + timedelta(days=20)
    assert fails(database, later, severity=BounceSeverity.PROBABLE) == "quarantined"


def test_a_repeat_does_nothing(database: Database) -> None:
    fails_for_good(database)
    assert fails_for_good(database) == "duplicate"
    with database.reading() as session:
        assert make.events(session) == [("subscribed", "weekly-news"), ("unsubscribed", "all")]


def test_what_is_probably_permanent_ends_at_a_second_failed_mailing(database: Database) -> None:
    days = [make.NOW + timedelta(days=each) for each in (0, 6, 7)]
    told = [
        fails(database, day, severity=BounceSeverity.PROBABLE, authority="provider") for day in days
    ]
    assert told == ["quarantined", "quarantined", "suppressed"]
    assert stops(database) == ["all"]


def test_a_bounce_is_no_choice_of_the_person_and_has_no_undo(database: Database) -> None:
    fails_for_good(database)
    with database.transaction() as session:
        person = subscribers.lock(session, make.person(), make.NOW)
        topic = topics.get(session, "weekly-news")
        assert not subscriptions.pause(session, person, topic, make.NOW, make.context()).changed


def _report_in_a_process(url: str, turn: int) -> None:
    database = Database(url, (make.SERVER_KEY,))
    for number in (0, 3, 6, 10, 14):
        at = make.NOW + timedelta(days=number)
        fails(database, make.NOW + timedelta(days=20), occurred_at=at + timedelta(minutes=turn))
    database.close()


def test_several_processes_report_the_same_failures(database: Database, database_url: str) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(_report_in_a_process, [(database_url, turn) for turn in range(3)])
    with database.reading() as session:
        assert make.events(session) == [("subscribed", "weekly-news"), ("unsubscribed", "all")]
        assert session.scalar(select(func.count()).select_from(FailedMailing)) == 0
