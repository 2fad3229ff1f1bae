"""The effects of bounces: each rule of `docs/bounces.md` (M13)."""

import multiprocessing
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import func, select

from preference_center.core import audience, bounces, erasure, subscribers, subscriptions, topics
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import Cadence, Event, Scope, Source
from preference_center.store import Database
from preference_center.store.tables import FailedMailing
from tests.support import make

GONE = "5.1.1"


@pytest.fixture(autouse=True)
def add_subscriber(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session)
        make.subscriber(session)


def fail(
    database: Database, at: datetime = make.NOW, email: str = "ada@example.org", **changes: Any
) -> str:
    """Record a failed delivery and return its effect."""
    values: dict[str, Any] = {
        "severity": BounceSeverity.SOFT,
        "code": "4.2.2",
        "occurred_at": at,
        "authority": "return-path",
        **changes,
    }
    with database.transaction() as session:
        return make.bounce(session, bounces.Bounce(**values), at, email)


def fail_permanently(database: Database, at: datetime = make.NOW, **changes: Any) -> str:
    return fail(database, at, severity=BounceSeverity.PERMANENT, code=GONE, **changes)


def suppressions(database: Database, email: str = "ada@example.org") -> list[str]:
    with database.reading() as session:
        person = subscribers.find(session, make.id_of(email))
        return sorted(person.suppressions) if person is not None else []


def test_one_permanent_bounce_suppresses_all_topics(database: Database) -> None:
    assert fail_permanently(database) == "suppressed"
    assert suppressions(database) == ["all"]
    with database.reading() as session:
        topic = topics.get(session, "weekly-news")
        verdicts = audience.check(session, topic, "c", {make.id_of(): ""}, make.NOW)
        assert verdicts[make.id_of()].reason == "suppressed"
        assert make.events(session)[-1] == ("unsubscribed", "all")


def test_a_permanent_provider_bounce_suppresses_the_address(database: Database) -> None:
    assert fail_permanently(database, authority="provider") == "suppressed"
    assert suppressions(database) == ["address"]


def test_a_provider_bounce_adds_to_a_return_path_suppression(database: Database) -> None:
    fail_permanently(database)
    assert fail_permanently(database, authority="provider") == "suppressed"
    assert suppressions(database) == ["address", "all"]


def test_a_soft_bounce_suppresses_nothing(database: Database) -> None:
    assert fail(database) == "soft"
    assert suppressions(database) == []


def test_five_failed_mailings_in_two_weeks_suppress_the_subscriber(database: Database) -> None:
    days = [make.NOW + timedelta(days=each) for each in (0, 3, 6, 10)]
    assert [fail(database, day) for day in days] == ["soft"] * 4
    assert fail(database, make.NOW + timedelta(days=14)) == "suppressed"
    assert suppressions(database) == ["all"]


def test_failures_on_consecutive_days_suppress_nothing(database: Database) -> None:
    effects = [fail(database, make.NOW + timedelta(days=each)) for each in range(6)]
    assert effects == ["soft"] * 6


@pytest.mark.parametrize(
    ("cadence", "topic", "effect"),
    [
        (Cadence.IRREGULAR, "weekly-news", "soft"),
        (Cadence.MONTHLY, "weekly-news", "suppressed"),
        # Without a topic, the shortest window of the received topics counts.
        (Cadence.MONTHLY, None, "suppressed"),
        (Cadence.IRREGULAR, None, "soft"),
    ],
)
def test_the_cadence_of_the_failed_topic_sets_the_window(
    database: Database, cadence: Cadence, topic: str | None, effect: str
) -> None:
    with database.transaction() as session:
        topics.get(session, "weekly-news").cadence = cadence
    days = [make.NOW + timedelta(days=30 * turn) for turn in range(5)]
    assert [fail(database, day, topic=topic) for day in days][-1] == effect


def test_a_failure_without_a_topic_uses_the_shortest_window(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, "monthly-news", cadence=Cadence.MONTHLY)
        make.subscriber(session, "ada@example.org", "weekly-news", "monthly-news")
    days = [make.NOW + timedelta(days=30 * turn) for turn in range(5)]
    assert [fail(database, day) for day in days][-1] == "soft"
    assert fail(database, days[-1], topic="monthly-news") == "soft"
    more = [days[-1] + timedelta(days=30 * turn) for turn in range(1, 5)]
    effects = [fail(database, day, topic="monthly-news") for day in more]
    assert effects == ["soft"] * 3 + ["suppressed"]


def _claim(
    database: Database, *days: int, slug: str = "weekly-news", release: bool = False
) -> None:
    with database.transaction() as session:
        topic, ids = topics.get(session, slug), [make.id_of()]
        for number in days:
            at = make.NOW + timedelta(days=number)
            audience.claim(session, topic, f"{slug} {number}", ids, at)
            if release:
                audience.release(session, topic, f"{slug} {number}", ids, at)


MONTHS = [0, 30, 60, 90, 120]


def _fail_monthly(database: Database) -> str:
    return [fail(database, make.NOW + timedelta(days=each)) for each in MONTHS][-1]


def test_claims_make_failures_count_for_half_a_year(database: Database) -> None:
    _claim(database, *MONTHS)
    assert _fail_monthly(database) == "suppressed"


def test_a_claim_without_a_failure_on_any_topic_resets_the_count(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", "offers")
    _claim(database, *MONTHS)
    _claim(database, 45, slug="offers")
    assert _fail_monthly(database) == "soft"


def test_a_released_claim_resets_nothing(database: Database) -> None:
    _claim(database, *MONTHS)
    _claim(database, 45, release=True)
    assert _fail_monthly(database) == "suppressed"


def _deliver(database: Database, *days: int) -> None:
    with database.transaction() as session:
        for number in days:
            day = (make.NOW + timedelta(days=number)).date()
            bounces.record_deliveries(session, {make.id_of(): day})


def test_a_delivery_resets_the_count(database: Database) -> None:
    days = [make.NOW + timedelta(days=each) for each in (0, 3, 6, 10, 14, 18, 22, 24)]
    assert [fail(database, day) for day in days[:3]] == ["soft"] * 3
    _deliver(database, 9, 8)
    assert [fail(database, day) for day in days[3:]] == ["soft"] * 4 + ["suppressed"]


def test_a_known_delivery_makes_failures_count_for_half_a_year(database: Database) -> None:
    _deliver(database, -30)
    assert _fail_monthly(database) == "suppressed"


def test_no_delivery_is_recorded_after_an_erasure(database: Database) -> None:
    _deliver(database, 0)
    with database.transaction() as session:
        erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)
    _deliver(database, 1)
    with database.reading() as session:
        person = subscribers.find(session, make.id_of())
        assert person is not None
        assert person.delivered_on is None


def test_a_failure_counts_on_its_utc_day(database: Database) -> None:
    tokyo = timezone(timedelta(hours=9))
    at = datetime(2026, 11, 23, 8, 0, tzinfo=tokyo)
    fail(database, at.astimezone(UTC) + timedelta(hours=1), occurred_at=at)
    with database.reading() as session:
        assert session.scalars(select(FailedMailing.day)).one() == date(2026, 11, 22)


def test_a_failure_dated_in_the_future_counts_today(database: Database) -> None:
    fail(database, occurred_at=make.NOW + timedelta(days=3))
    with database.reading() as session:
        assert session.scalars(select(FailedMailing.day)).one() == make.NOW.date()


@pytest.mark.parametrize("order", [(0, 7, 14, 21, 28), (28, 21, 14, 7, 0), (14, 0, 28, 7, 21)])
def test_reports_may_arrive_in_any_order(database: Database, order: tuple[int, ...]) -> None:
    at = make.NOW + timedelta(days=29)
    days = [make.NOW + timedelta(days=each) for each in order]
    effects = [fail(database, at, occurred_at=day) for day in days for _ in range(2)]
    assert effects == ["soft"] * 8 + ["suppressed", "duplicate"]


def test_failures_on_the_same_day_count_once(database: Database) -> None:
    for _ in range(9):
        assert fail(database) == "soft"
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(FailedMailing)) == 1


def test_a_suppression_deletes_earlier_failures(database: Database) -> None:
    fail(database)
    fail_permanently(database, make.NOW + timedelta(days=1))
    with database.reading() as session:
        row = session.scalars(select(FailedMailing)).one()
        assert (row.severity, row.ended_domain) == ("permanent", "example.org")


def test_removing_a_suppression_restarts_the_count(database: Database) -> None:
    fail_permanently(database)
    with database.transaction() as session, make.drafted(session) as draft:
        context = make.context(Source.CLI)
        subscriptions.remove_suppression(draft, Scope.ALL, Event.LIFTED, context)
    later = make.NOW + timedelta(days=20)
    assert fail(database, later, severity=BounceSeverity.PROBABLE) == "quarantined"


def test_a_repeated_bounce_changes_nothing(database: Database) -> None:
    fail_permanently(database)
    assert fail_permanently(database) == "duplicate"
    with database.reading() as session:
        assert make.events(session) == [("subscribed", "weekly-news"), ("unsubscribed", "all")]


def test_a_second_probable_bounce_a_week_later_suppresses_all_topics(database: Database) -> None:
    days = [make.NOW + timedelta(days=each) for each in (0, 6, 7)]
    effects = [
        fail(database, day, severity=BounceSeverity.PROBABLE, authority="provider") for day in days
    ]
    assert effects == ["quarantined", "quarantined", "suppressed"]
    assert suppressions(database) == ["all"]


def test_a_suppressed_subscriber_cannot_pause_a_topic(database: Database) -> None:
    fail_permanently(database)
    with database.transaction() as session:
        with make.drafted(session) as draft:
            paused = subscriptions.pause(draft, "weekly-news", make.NOW, make.context())
        assert not paused.changed


def _report_from_a_process(url: str, turn: int) -> None:
    database = Database(url, (make.SERVER_KEY,))
    for number in (0, 3, 6, 10, 14):
        at = make.NOW + timedelta(days=number)
        fail(database, make.NOW + timedelta(days=20), occurred_at=at + timedelta(minutes=turn))
    database.close()


@pytest.mark.integration
def test_processes_that_report_the_same_failures_suppress_once(
    database: Database, database_url: str
) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(_report_from_a_process, [(database_url, turn) for turn in range(3)])
    with database.reading() as session:
        assert make.events(session) == [("subscribed", "weekly-news"), ("unsubscribed", "all")]
        assert session.scalar(select(func.count()).select_from(FailedMailing)) == 0
