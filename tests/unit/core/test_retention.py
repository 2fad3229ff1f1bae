"""What is forgotten, when, and what stays: table by table, to the second."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from preference_center.core import (
    audience,
    bounces,
    dedup,
    outbox,
    quarantine,
    reasons,
    retention,
    topics,
)
from preference_center.core.retention import Retention
from preference_center.core.vocab import (
    BounceSeverity,
    Frequency,
    OutboxKind,
    OutboxState,
    ReasonCode,
)
from preference_center.store import Database
from preference_center.store.tables import (
    AnonymizedReason,
    BounceCount,
    Claim,
    ClaimCount,
    LedgerRow,
    OutboxRow,
    Reason,
)
from tests.support import make

KEEP = make.RETENTION
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def _mail(session: Session, state: OutboxState, settled_at: datetime | None) -> None:
    """Add a mail that was asked for long ago."""
    asked_at = make.NOW - 100 * DAY
    outbox.request(session, make.person(f"{settled_at}@example.org"), OutboxKind.LINK, asked_at)
    row = session.query(OutboxRow).filter_by(state="pending").one()
    row.state, row.settled_at = state, settled_at
    session.flush()


def _reasons(
    session: Session, many: int, campaign: str | None = "2026-47", at: datetime = make.NOW
) -> None:
    """Let some people say why they left."""
    before = session.query(LedgerRow).count()
    for number in range(many):
        email = f"p{before + number}@example.org"
        seq = make.stop(session, email, campaign=campaign).last_seq
        reasons.record(session, make.person(email), seq, ReasonCode.TOO_MANY, f"Note {number}", at)
    session.flush()


def _everything_old(session: Session, now: datetime) -> dict[str, int]:
    """Take each step until it finds nothing, and return how much each forgot."""
    counts = {}
    for step in retention.STEPS:
        taken: list[int] = []
        while not taken or taken[-1]:
            taken.append(step.run(session, KEEP, now))
        counts[step.name] = sum(taken)
    return counts


@pytest.mark.parametrize("state", [OutboxState.SENT, OutboxState.FAILED, OutboxState.DROPPED])
def test_a_mail_is_kept_for_thirty_days_after_it_was_settled(
    database: Database, state: OutboxState
) -> None:
    with database.transaction() as session:
        _mail(session, state, make.NOW)
        assert make.purge(session, "emails", make.NOW + 30 * DAY) == 0
        assert make.purge(session, "emails", make.NOW + 30 * DAY + SECOND) == 1
        assert session.query(OutboxRow).count() == 0


def test_a_mail_that_is_still_to_be_sent_is_kept(database: Database) -> None:
    with database.transaction() as session:
        _mail(session, OutboxState.STARTED, None)
        assert make.purge(session, "emails", make.NOW + 1000 * DAY) == 0
        assert session.query(OutboxRow).count() == 1


def test_a_claim_is_kept_for_thirteen_months(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "one", [make.person()], make.NOW)
        assert make.purge(session, "claims", make.NOW + 396 * DAY) == 0
        assert make.purge(session, "claims", make.NOW + 396 * DAY + SECOND) == 1
        assert session.query(Claim).count() == 0


def test_a_released_claim_goes_with_the_others(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "one", [make.person()], make.NOW)
        audience.release(session, topic, "one", [make.person()], make.NOW)
        assert make.purge(session, "claims", make.NOW + 397 * DAY) == 1


def test_a_reason_loses_its_person_after_ninety_days(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 1)
        assert make.anonymize_reasons(session, make.NOW + 90 * DAY) == 0
        assert make.anonymize_reasons(session, make.NOW + 90 * DAY + SECOND) == 1
        assert session.query(Reason).count() == 0
        past = session.query(AnonymizedReason).one()
        assert (past.week, past.topic, past.code, past.note) == (
            reasons.week_of(make.NOW),
            "weekly-news",
            "too_many",
            "Note 0",
        )


def test_nothing_ties_a_past_reason_to_the_person(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 1)
        person = session.query(Reason).one().subscriber_id
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        past = session.query(AnonymizedReason).one()
        assert person not in (past.id, past.week, past.topic, past.campaign, past.note)


@pytest.mark.parametrize(("many", "kept"), [(4, None), (5, "2026-47"), (6, "2026-47")])
def test_a_campaign_is_kept_where_five_share_it(
    database: Database, many: int, kept: str | None
) -> None:
    with database.transaction() as session:
        _reasons(session, many)
        _reasons(session, 3, "another")
        _reasons(session, 6, None)
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        campaigns = [reason.campaign for reason in session.query(AnonymizedReason)]
        assert campaigns.count("2026-47") == (many if kept else 0)
        assert len(campaigns) == many + 9
        assert set(campaigns) == {kept, None}


def test_who_is_still_young_counts_among_the_five(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 2)
        _reasons(session, 3, at=make.NOW + 30 * DAY)
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        assert session.query(AnonymizedReason).filter_by(campaign="2026-47").count() == 2
        assert session.query(Reason).count() == 3


def test_who_lost_their_person_before_counts_among_the_five(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 5)
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        _reasons(session, 1, at=make.NOW + 30 * DAY)
        make.anonymize_reasons(session, make.NOW + 121 * DAY)
        assert session.query(AnonymizedReason).filter_by(campaign="2026-47").count() == 6


def test_of_a_campaign_that_was_taken_off_nothing_comes_back(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 4)
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        _reasons(session, 4, at=make.NOW + 30 * DAY)
        make.anonymize_reasons(session, make.NOW + 121 * DAY)
        assert {reason.campaign for reason in session.query(AnonymizedReason)} == {None}


def test_a_note_goes_when_all_of_its_week_is_a_year_old(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 1)
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        next_week = datetime.combine(
            reasons.week_of(make.NOW) + 7 * DAY, datetime.min.time(), make.NOW.tzinfo
        )
        assert make.purge(session, "reason texts", next_week + 365 * DAY - SECOND) == 0
        assert make.purge(session, "reason texts", next_week + 365 * DAY) == 1
        session.expire_all()
        past = session.query(AnonymizedReason).one()
        assert (past.note, past.code, past.campaign) == ("", "too_many", None)


def test_a_reason_without_a_note_is_not_taken_again(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 1)
        later = make.NOW + 400 * DAY
        make.anonymize_reasons(session, later)
        assert [make.purge(session, "reason texts", later) for _ in range(2)] == [1, 0]


def test_how_long_is_for_the_operator_to_say(database: Database) -> None:
    longer = Retention(*[timedelta(days=5000)] * 7)
    with database.transaction() as session:
        _mail(session, OutboxState.SENT, make.NOW)
        _reasons(session, 1)
        for step in retention.STEPS:
            assert step.run(session, longer, make.NOW + 4000 * DAY) == 0


def test_it_goes_step_by_step_until_nothing_is_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_SIZE", 3)
    later = make.NOW + 500 * DAY
    with database.transaction() as session:
        _reasons(session, 7)
        for number in range(7):
            _mail(session, OutboxState.SENT, make.NOW + number * SECOND)
        readers = [make.reader(session, f"r{number}@example.org") for number in range(7)]
        people = [reader.subscriber_id for reader in readers]
        audience.claim(session, topics.get(session, "weekly-news"), "one", people, make.NOW)
        taken = [make.purge(session, "emails", later) for _ in range(4)]
        assert taken == [3, 3, 1, 0]
        due = retention.due(session, KEEP, later)
        assert list(due.values()) == [0, 7, 7, 7, 0, 0, 0, 0, 1]
        assert _everything_old(session, later) == due
        assert session.query(AnonymizedReason).filter_by(note="", campaign="2026-47").count() == 7
        assert session.query(LedgerRow).count() == 14


def test_a_cap_counts_what_a_purge_left(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session).subscriptions["weekly-news"].frequency = Frequency.MONTHLY
        session.flush()
        topic, ids = topics.get(session, "weekly-news"), [make.person()]
        audience.claim(session, topic, "one", ids, make.NOW)
        later: Any = make.NOW + 27 * DAY
        _everything_old(session, later)
        assert audience.claim(session, topic, "two", ids, later)[ids[0]].verdict == "defer"


def test_a_message_nobody_understood_is_kept_for_two_weeks(database: Database) -> None:
    with database.transaction() as session:
        quarantine.keep(session, b"hello", "not understood", make.NOW)
        assert make.purge(session, "quarantined messages", make.NOW + 14 * DAY) == 0
        assert make.purge(session, "quarantined messages", make.NOW + 14 * DAY + SECOND) == 1
        assert quarantine.list_all(session) == []


def test_what_came_in_is_known_again_for_two_weeks(database: Database) -> None:
    with database.transaction() as session:
        assert dedup.record_if_new(session, "mail", "hello", make.NOW)
        assert make.purge(session, "deduplication records", make.NOW + 14 * DAY) == 0
        assert not dedup.record_if_new(session, "mail", "hello", make.NOW + 14 * DAY)
        assert make.purge(session, "deduplication records", make.NOW + 14 * DAY + SECOND) == 1
        assert dedup.record_if_new(session, "mail", "hello", make.NOW + 15 * DAY)


def test_a_failed_mailing_is_kept_while_a_rule_counts_it(database: Database) -> None:
    bounce = bounces.Bounce(BounceSeverity.SOFT, "4.2.2", make.NOW, "return-path")
    with database.transaction() as session:
        make.bounce(session, bounce)
        assert make.purge(session, "failed mailings", make.NOW + 179 * DAY) == 0
        assert make.purge(session, "failed mailings", make.NOW + 180 * DAY) == 1


def test_how_often_a_domain_failed_is_forgotten(database: Database) -> None:
    bounce = bounces.Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, "return-path")
    hour = make.NOW.replace(minute=0)
    with database.transaction() as session:
        make.reader(session)
        make.bounce(session, bounce)
        assert make.purge(session, "bounce counts", hour + 14 * DAY - SECOND) == 0
        assert make.purge(session, "bounce counts", hour + 14 * DAY) == 1
        assert session.query(BounceCount).count() == 0


def test_how_much_was_claimed_for_a_domain_is_forgotten(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "one", [make.person()], make.NOW)
        assert make.purge(session, "claim counts", make.NOW + 14 * DAY) == 0
        assert make.purge(session, "claim counts", make.NOW + 15 * DAY) == 1
        assert session.query(ClaimCount).count() == 0
