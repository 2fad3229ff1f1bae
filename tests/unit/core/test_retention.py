"""Retention: what each step deletes and what it keeps, exact to the second."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from preference_center.core import (
    api_keys,
    audience,
    bounces,
    consumers,
    dedup,
    erasure,
    idempotency,
    missed_erasures,
    outbox,
    purging,
    quarantine,
    reasons,
    retention,
    topics,
    unacknowledged,
)
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.core.consumers import Progress
from preference_center.core.idempotency import KeyedRequest
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.purging import Retention
from preference_center.core.vocab import Frequency, OutboxKind, OutboxState, ReasonCode, Source
from preference_center.store import Database
from preference_center.store.tables import (
    AnonymizedReason,
    BounceCount,
    Claim,
    ClaimCount,
    IdempotentRequest,
    LedgerRow,
    OutboxRow,
    Reason,
)
from tests.support import make

KEEP = make.RETENTION
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def _email(session: Session, state: OutboxState, settled_at: datetime | None) -> None:
    """Add an email that was requested long ago."""
    requested_at = make.NOW - 100 * DAY
    requested = (make.id_of(f"{settled_at}@example.org"), OutboxKind.LINK, "")
    outbox.request(session, [requested], requested_at)
    row = session.query(OutboxRow).filter_by(state="pending").one()
    row.state, row.settled_at = state, settled_at
    session.flush()


def _reasons(
    session: Session, count: int, campaign: str | None = "2026-47", at: datetime = make.NOW
) -> None:
    """Record unsubscribes with reasons, each from another subscriber."""
    before = session.query(LedgerRow).count()
    for number in range(count):
        email = f"p{before + number}@example.org"
        seq = make.unsubscribe(session, email, campaign=campaign).last_seq
        reasons.record(session, make.id_of(email), seq, ReasonCode.TOO_MANY, f"Note {number}", at)
    session.flush()


def _run_all_steps(session: Session, now: datetime) -> dict[str, int]:
    """Run each step until it finds nothing; return how many rows each took."""
    counts = {}
    for step in retention.STEPS:
        taken: list[int] = []
        while not taken or taken[-1]:
            taken.append(step.run(session, KEEP, now))
        counts[step.name] = sum(taken)
    return counts


@pytest.mark.parametrize("state", [OutboxState.SENT, OutboxState.FAILED, OutboxState.DROPPED])
def test_an_email_is_kept_for_thirty_days_after_it_was_settled(
    database: Database, state: OutboxState
) -> None:
    with database.transaction() as session:
        _email(session, state, make.NOW)
        assert make.purge(session, "emails", make.NOW + 30 * DAY) == 0
        assert make.purge(session, "emails", make.NOW + 30 * DAY + SECOND) == 1
        assert session.query(OutboxRow).count() == 0


def test_an_unsent_email_is_kept(database: Database) -> None:
    with database.transaction() as session:
        _email(session, OutboxState.STARTED, None)
        assert make.purge(session, "emails", make.NOW + 1000 * DAY) == 0
        assert session.query(OutboxRow).count() == 1


def test_a_claim_is_kept_for_thirteen_months(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "one", [make.id_of()], make.NOW)
        assert make.purge(session, "claims", make.NOW + 396 * DAY) == 0
        assert make.purge(session, "claims", make.NOW + 396 * DAY + SECOND) == 1
        assert session.query(Claim).count() == 0


def test_a_released_claim_is_deleted_with_the_others(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "one", [make.id_of()], make.NOW)
        audience.release(session, topic, "one", [make.id_of()], make.NOW)
        assert make.purge(session, "claims", make.NOW + 397 * DAY) == 1


def test_an_answer_to_a_repeated_request_is_kept_for_a_day(database: Database) -> None:
    with database.transaction() as session:
        key = api_keys.create(session, "shop", ApiKeyKind.LIVE, [ApiScope.LINKS], make.NOW)[0]
        request = KeyedRequest(key.id, "POST /subscribers", "order-17", bytes(32))
        idempotency.begin(session, request, make.NOW)
        step = "answers to repeated API requests"
        assert make.purge(session, step, make.NOW + DAY - SECOND) == 0
        assert make.purge(session, step, make.NOW + DAY) == 1
        assert session.query(IdempotentRequest).count() == 0


def test_a_reason_is_anonymized_after_ninety_days(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 1)
        assert make.anonymize_reasons(session, make.NOW + 90 * DAY) == 0
        assert make.anonymize_reasons(session, make.NOW + 90 * DAY + SECOND) == 1
        assert session.query(Reason).count() == 0
        anonymized = session.query(AnonymizedReason).one()
        assert (anonymized.week, anonymized.topic, anonymized.code, anonymized.note) == (
            reasons.week_of(make.NOW),
            "weekly-news",
            "too_many",
            "Note 0",
        )


def test_an_anonymized_reason_does_not_identify_the_subscriber(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 1)
        person = session.query(Reason).one().subscriber_id
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        anonymized = session.query(AnonymizedReason).one()
        assert person not in (
            anonymized.id,
            anonymized.week,
            anonymized.topic,
            anonymized.campaign,
            anonymized.note,
        )


@pytest.mark.parametrize(("count", "kept"), [(4, None), (5, "2026-47"), (6, "2026-47")])
def test_a_campaign_is_kept_if_at_least_five_reasons_name_it(
    database: Database, count: int, kept: str | None
) -> None:
    with database.transaction() as session:
        _reasons(session, count)
        _reasons(session, 3, "another")
        _reasons(session, 6, None)
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        campaigns = [reason.campaign for reason in session.query(AnonymizedReason)]
        assert campaigns.count("2026-47") == (count if kept else 0)
        assert len(campaigns) == count + 9
        assert set(campaigns) == {kept, None}


@pytest.mark.parametrize("database_url", ["postgresql", "distributed"], indirect=True)
def test_two_runs_at_once_anonymize_each_reason_once(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 40)

    def run(_: int) -> int:
        with database.transaction() as session:
            return make.anonymize_reasons(session, make.NOW + 91 * DAY)

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(run, range(2))) == 40
    with database.reading() as session:
        assert session.query(AnonymizedReason).count() == 40


def test_newer_reasons_count_towards_the_five(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 2)
        _reasons(session, 3, at=make.NOW + 30 * DAY)
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        assert session.query(AnonymizedReason).filter_by(campaign="2026-47").count() == 2
        assert session.query(Reason).count() == 3


def test_anonymized_reasons_count_towards_the_five(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 5)
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        _reasons(session, 1, at=make.NOW + 30 * DAY)
        make.anonymize_reasons(session, make.NOW + 121 * DAY)
        assert session.query(AnonymizedReason).filter_by(campaign="2026-47").count() == 6


def test_a_campaign_that_was_removed_does_not_return(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 4)
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        _reasons(session, 4, at=make.NOW + 30 * DAY)
        make.anonymize_reasons(session, make.NOW + 121 * DAY)
        assert {reason.campaign for reason in session.query(AnonymizedReason)} == {None}


def test_a_note_is_deleted_when_its_whole_week_is_a_year_old(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 1)
        make.anonymize_reasons(session, make.NOW + 91 * DAY)
        next_week = datetime.combine(
            reasons.week_of(make.NOW) + 7 * DAY, datetime.min.time(), make.NOW.tzinfo
        )
        assert make.purge(session, "reason texts", next_week + 365 * DAY - SECOND) == 0
        assert make.purge(session, "reason texts", next_week + 365 * DAY) == 1
        session.expire_all()
        anonymized = session.query(AnonymizedReason).one()
        assert (anonymized.note, anonymized.code, anonymized.campaign) == ("", "too_many", None)


def test_a_reason_without_a_note_is_not_processed_again(database: Database) -> None:
    with database.transaction() as session:
        _reasons(session, 1)
        later = make.NOW + 400 * DAY
        make.anonymize_reasons(session, later)
        assert [make.purge(session, "reason texts", later) for _ in range(2)] == [1, 0]


def test_the_operator_sets_the_retention_periods(database: Database) -> None:
    longer = Retention(*[timedelta(days=5000)] * 9)
    with database.transaction() as session:
        _email(session, OutboxState.SENT, make.NOW)
        _reasons(session, 1)
        for step in retention.STEPS:
            assert step.run(session, longer, make.NOW + 4000 * DAY) == 0


def test_each_step_runs_in_batches_until_nothing_is_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH_SIZE", 3)
    later = make.NOW + 500 * DAY
    with database.transaction() as session:
        _reasons(session, 7)
        for number in range(7):
            _email(session, OutboxState.SENT, make.NOW + number * SECOND)
        readers = [make.subscriber(session, f"r{number}@example.org") for number in range(7)]
        people = [reader.subscriber_id for reader in readers]
        audience.claim(session, topics.get(session, "weekly-news"), "one", people, make.NOW)
        taken = [make.purge(session, "emails", later) for _ in range(4)]
        assert taken == [3, 3, 1, 0]
        due = retention.due(session, KEEP, later)
        assert {name: count for name, count in due.items() if count} == {
            "claims": 7,
            "reasons anonymized": 7,
            "reason texts": 7,
            "claim counts": 1,
        }
        assert _run_all_steps(session, later) == due
        assert session.query(AnonymizedReason).filter_by(note="", campaign="2026-47").count() == 7
        assert session.query(LedgerRow).count() == 14


def test_a_cap_still_applies_after_a_purge(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, frequency=Frequency.MONTHLY)
        topic, ids = topics.get(session, "weekly-news"), [make.id_of()]
        audience.claim(session, topic, "one", ids, make.NOW)
        later: Any = make.NOW + 27 * DAY
        _run_all_steps(session, later)
        assert audience.claim(session, topic, "two", ids, later)[ids[0]].decision == "defer"


def test_a_quarantined_message_is_kept_for_two_weeks(database: Database) -> None:
    with database.transaction() as session:
        quarantine.keep(session, b"hello", "not understood", make.NOW)
        assert make.purge(session, "quarantined messages", make.NOW + 14 * DAY) == 0
        assert make.purge(session, "quarantined messages", make.NOW + 14 * DAY + SECOND) == 1
        assert quarantine.list_all(session) == []


def test_a_duplicate_is_recognized_for_two_weeks(database: Database) -> None:
    with database.transaction() as session:
        assert dedup.record_new(session, "mail", ["hello"], make.NOW)
        assert make.purge(session, "deduplication records", make.NOW + 14 * DAY) == 0
        assert not dedup.record_new(session, "mail", ["hello"], make.NOW + 14 * DAY)
        assert make.purge(session, "deduplication records", make.NOW + 14 * DAY + SECOND) == 1
        assert dedup.record_new(session, "mail", ["hello"], make.NOW + 15 * DAY)


def test_a_failed_mailing_is_kept_while_the_bounce_rule_counts_it(database: Database) -> None:
    bounce = bounces.Bounce(BounceSeverity.SOFT, "4.2.2", make.NOW, "return-path")
    with database.transaction() as session:
        make.bounce(session, bounce)
        assert make.purge(session, "failed mailings", make.NOW + 179 * DAY) == 0
        assert make.purge(session, "failed mailings", make.NOW + 180 * DAY) == 1


def test_bounce_counts_are_deleted_after_two_weeks(database: Database) -> None:
    bounce = bounces.Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, "return-path")
    hour = make.NOW.replace(minute=0)
    with database.transaction() as session:
        make.subscriber(session)
        make.bounce(session, bounce)
        assert make.purge(session, "bounce counts", hour + 14 * DAY - SECOND) == 0
        assert make.purge(session, "bounce counts", hour + 14 * DAY) == 1
        assert session.query(BounceCount).count() == 0


def test_claim_counts_are_deleted_after_two_weeks(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "one", [make.id_of()], make.NOW)
        assert make.purge(session, "claim counts", make.NOW + 14 * DAY) == 0
        assert make.purge(session, "claim counts", make.NOW + 15 * DAY) == 1
        assert session.query(ClaimCount).count() == 0


HOLDING, MISSED = "addresses of erased subscribers", "missed erasures"


def _erase(session: Session) -> None:
    """Erase two people, whom a program that reads the feed does not get to know."""
    key, _ = api_keys.create(session, "crm", ApiKeyKind.LIVE, [ApiScope.EVENTS], make.NOW)
    consumers.note_progress(session, key.id, Progress(0, 0), make.NOW)
    emails = ("ada@example.org", "bob@example.org")
    erasure.erase(session, map(make.id_of, emails), Source.CLI, make.NOW)


def test_an_address_is_held_for_a_week_and_what_was_missed_for_ninety_days(
    database: Database,
) -> None:
    with database.transaction() as session:
        _erase(session)
        assert make.purge(session, HOLDING, make.NOW + 7 * DAY - SECOND) == 0
        assert make.purge(session, HOLDING, make.NOW + 7 * DAY) == 2
        assert make.purge(session, HOLDING, make.NOW + 8 * DAY) == 0
        assert len(missed_erasures.read(session)) == 2
        assert make.purge(session, MISSED, make.NOW + 97 * DAY - SECOND) == 0
        assert make.purge(session, MISSED, make.NOW + 97 * DAY) == 2
        assert missed_erasures.read(session) == []


def test_erasures_are_purged_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (purging, unacknowledged):
        monkeypatch.setattr(module, "BATCH_SIZE", 1)
    with database.transaction() as session:
        _erase(session)
        for step, days in ((HOLDING, 7), (MISSED, 97)):
            now = make.NOW + days * DAY
            assert retention.due(session, KEEP, now)[step] == 2
            assert [make.purge(session, step, now) for _ in range(3)] == [1, 1, 0]
