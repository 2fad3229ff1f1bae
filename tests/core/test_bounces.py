"""What bounces do: the rules of `docs/bounces.md`, one by one (M13)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from preference_center.core import audience, bounces, choices, subscribers, topics
from preference_center.core.vocab import BounceSeverity
from preference_center.store import Database
from preference_center.store.tables import SoftBounce
from tests import make

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
        return bounces.record(session, make.person(email), bounces.Bounce(**values), at)


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


def test_five_days_in_two_weeks_are_too_many(database: Database) -> None:
    days = [make.NOW + timedelta(days=each) for each in (0, 3, 6, 10)]
    assert [fails(database, day) for day in days] == ["soft"] * 4
    assert fails(database, make.NOW + timedelta(days=14)) == "suppressed"
    assert stops(database) == ["all"]


def test_five_days_in_a_row_are_one_trouble(database: Database) -> None:
    told = [fails(database, make.NOW + timedelta(days=each)) for each in range(6)]
    assert told == ["soft"] * 6


def test_what_lies_a_month_back_does_not_count(database: Database) -> None:
    for each in (0, 8, 16, 24):
        fails(database, make.NOW + timedelta(days=each))
    assert fails(database, make.NOW + timedelta(days=31)) == "soft"


def test_the_same_day_counts_once(database: Database) -> None:
    for _ in range(9):
        assert fails(database) == "soft"
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(SoftBounce)) == 1


def test_a_stop_forgets_the_failures_before_it(database: Database) -> None:
    fails(database)
    fails_for_good(database)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(SoftBounce)) == 0


def test_a_repeat_does_nothing(database: Database) -> None:
    fails_for_good(database)
    assert fails_for_good(database) == "duplicate"
    with database.reading() as session:
        assert make.events(session) == [("subscribed", "weekly-news"), ("unsubscribed", "all")]


def test_a_jump_of_one_domains_rate_is_not_believed(database: Database) -> None:
    emails = [f"reader{number}@mail.example" for number in range(30)]
    with database.transaction() as session:
        for email in emails:
            make.reader(session, email)
    told = [fails_for_good(database, email=email) for email in emails]
    assert told == ["suppressed"] * 19 + ["quarantined"] * 11
    assert fails_for_good(database) == "suppressed", "another domain is believed"


def test_a_jump_is_held_for_people_whom_nobody_imported_too(database: Database) -> None:
    emails = [f"reader{number}@mail.example" for number in range(25)]
    told = [fails_for_good(database, email=email, domain="mail.example") for email in emails]
    assert told == ["suppressed"] * 19 + ["quarantined"] * 6


def test_a_domain_that_always_fails_a_little_is_believed(database: Database) -> None:
    emails = [f"reader{number}@mail.example" for number in range(150)]
    with database.transaction() as session:
        for email in emails:
            make.reader(session, email)
    for number, email in enumerate(emails[:130]):
        fails_for_good(database, make.NOW + timedelta(days=number // 10), email=email)
    day = make.NOW + timedelta(days=13)
    assert {fails_for_good(database, day, email=email) for email in emails[130:]} == {"suppressed"}


def test_a_bounce_is_no_choice_of_the_person_and_has_no_undo(database: Database) -> None:
    fails_for_good(database)
    with database.transaction() as session:
        person = subscribers.lock(session, make.person(), make.NOW)
        topic = topics.get(session, "weekly-news")
        assert not choices.pause(session, person, topic, make.NOW, make.act()).changed


def test_what_was_held_for_weeks_ends_no_receipts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounces, "_is_held", lambda *_: True)
    days = [make.NOW + timedelta(days=4 * turn) for turn in range(5)]
    told = [fails_for_good(database, day, authority="provider") for day in days]
    assert told == ["quarantined"] * 4 + ["suppressed"]
    assert stops(database) == ["all"]
