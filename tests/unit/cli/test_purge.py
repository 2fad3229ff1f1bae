"""`purge` deletes all expired data and nothing else (P12)."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from preference_center.core import domain_hold, reasons, retention
from preference_center.core.vocab import ReasonCode
from preference_center.store import Database
from preference_center.store.tables import (
    AnonymizedReason,
    Claim,
    LedgerCount,
    LedgerRow,
    OutboxRow,
    Reason,
)
from preference_center.util.clock import utc_now
from tests.support import make
from tests.support.command import run, run_ok

DAY = timedelta(days=1)
NOTHING = [0] * len(retention.STEPS)


def email_row(settled_at: datetime | None) -> dict[str, Any]:
    now = utc_now()
    return {
        "subscriber_id": uuid4(),
        "id": uuid4(),
        "kind": "change_notice",
        "topic": "",
        "state": "pending" if settled_at is None else "sent",
        "first_seq": 1,
        "last_seq": 1,
        "message_id": "x",
        "created_at": now - 99 * DAY,
        "latest_at": now,
        "due_at": now,
        "attempts": 1,
        "settled_at": settled_at,
    }


def add_reason(session: Session, email: str, given_at: datetime, campaign: str = "47") -> None:
    make.subscriber(session, email)
    change = make.unsubscribe(session, email, campaign=campaign)
    reasons.record(
        session, make.id_of(email), change.last_seq, ReasonCode.OTHER, "Too many.", given_at
    )


def add_claim(session: Session, email: str, campaign: str, claimed_at: datetime) -> None:
    person = make.id_of(email)
    row = {"topic": "weekly-news", "campaign": campaign, "claimed_at": claimed_at}
    session.execute(insert(Claim), [{"subscriber_id": person, "received": 1, **row}])


def add_items_of_each_age(database: Database) -> None:
    """Add items a day within and a day (or a week) past the retention period of their kind."""
    now = utc_now()
    with database.transaction() as session:
        make.topic(session)
        session.execute(
            insert(OutboxRow),
            [email_row(None), email_row(now - 29 * DAY), email_row(now - 31 * DAY)],
        )
        add_reason(session, "young@example.org", now - 89 * DAY)
        add_reason(session, "old@example.org", now - 91 * DAY)
        add_reason(session, "older@example.org", now - 358 * DAY)
        add_reason(session, "oldest@example.org", now - 372 * DAY)
        add_claim(session, "young@example.org", "1", now - 395 * DAY)
        add_claim(session, "old@example.org", "1", now - 397 * DAY)


def counts(output: str) -> list[int]:
    """Return the counts in the output of `purge`, in their order."""
    return [int(line.split()[0].replace(",", "")) for line in output.splitlines()[1:]]


def row_counts(database: Database) -> list[int | None]:
    with database.reading() as session:
        tables = (OutboxRow, Claim, Reason, AnonymizedReason)
        return [session.scalar(select(func.count()).select_from(table)) for table in tables]


def test_purge_deletes_expired_data_and_nothing_else(database: Database, database_url: str) -> None:
    add_items_of_each_age(database)
    output = run_ok(database_url, "purge")
    assert output.startswith("Purged:\n")
    assert counts(output) == [1, 1, 3, 1, *NOTHING[4:]]
    with database.reading() as session:
        now = utc_now()
        states = session.execute(select(OutboxRow.state, OutboxRow.settled_at)).all()
        assert Counter(state for state, _ in states) == {"pending": 1, "sent": 1}
        assert session.scalars(select(Claim.claimed_at)).one() > now - 396 * DAY
        assert session.scalars(select(Reason.subscriber_id)).all() == [
            make.id_of("young@example.org")
        ]
        past = session.execute(select(AnonymizedReason.campaign, AnonymizedReason.note)).all()
        assert sorted(past, key=str) == [(None, ""), (None, "Too many."), (None, "Too many.")]
    assert counts(run_ok(database_url, "purge")) == NOTHING


def test_purge_sums_up_the_counts_of_past_days(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, at=utc_now() - DAY)
    with database.transaction() as session:
        session.execute(update(LedgerCount).values(slot=7))
    run_ok(database_url, "purge", "--dry-run")
    with database.reading() as session:
        assert session.scalars(select(LedgerCount.slot)).all() == [7]
    run_ok(database_url, "purge")
    with database.reading() as session:
        assert session.scalars(select(LedgerCount.slot)).all() == [0]


def test_a_dry_run_counts_the_same_and_deletes_nothing(
    database: Database, database_url: str
) -> None:
    add_items_of_each_age(database)
    before = row_counts(database)
    output = run_ok(database_url, "purge", "--dry-run")
    assert output.startswith("Would be purged:\n")
    assert row_counts(database) == before
    assert counts(run_ok(database_url, "purge")) == counts(output)


def test_retention_periods_are_settings(database: Database, database_url: str) -> None:
    add_items_of_each_age(database)
    names = ("CLAIM_RETENTION_DAYS", "REASON_IDENTITY_RETENTION_DAYS", "REASON_TEXT_RETENTION_DAYS")
    longer = {"OUTBOX_RETENTION_DAYS": "40", **dict.fromkeys(names, "400")}
    assert counts(run_ok(database_url, "purge", **longer)) == NOTHING


def test_a_reason_is_anonymized_no_later_than_its_text_is_deleted(
    database: Database, database_url: str
) -> None:
    add_items_of_each_age(database)
    output = run_ok(database_url, "purge", REASON_TEXT_RETENTION_DAYS="30")
    assert counts(output)[2:4] == [4, 4]


def test_claims_that_a_cap_counts_cannot_be_purged(database_url: str) -> None:
    result = run(database_url, "purge", CLAIM_RETENTION_DAYS="30")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "PREFERENCE_CENTER_CLAIM_RETENTION_DAYS must be a number from 31 to 36500.\n"
    )


def test_purge_deletes_more_rows_than_one_batch(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        session.execute(insert(OutboxRow), [email_row(utc_now() - 99 * DAY) for _ in range(2_500)])
    assert counts(run_ok(database_url, "purge", "--dry-run")) == [2_500, *NOTHING[1:]]
    assert counts(run_ok(database_url, "purge")) == [2_500, *NOTHING[1:]]
    assert row_counts(database) == NOTHING[:4]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_concurrent_purges_anonymize_each_reason_once(database: Database) -> None:
    add_items_of_each_age(database)
    now = utc_now()
    with database.transaction() as one, database.transaction() as other:
        purged = [make.anonymize_reasons(session, now) for session in (one, other)]
    assert purged == [3, 0]
    assert row_counts(database)[2:] == [1, 3]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_purge_skips_rows_locked_by_another_transaction(database: Database) -> None:
    add_items_of_each_age(database)
    now = utc_now()
    keep = replace(make.RETENTION, reason_identities=400 * DAY)
    with database.transaction() as session:
        domain_hold.count_claims(session, ["ada@own.example"], now - 99 * DAY)
        domain_hold.add_failures(session, ["own.example"], now - 99 * DAY)
        week = reasons.week_of(now - 999 * DAY)
        past = {"id": uuid4(), "week": week, "topic": "weekly-news", "code": "other"}
        session.execute(insert(AnonymizedReason), [{**past, "note": "Too many."}])
    steps = ("emails", "claims", "reason texts")
    with database.transaction() as one, database.transaction() as other:
        for step in (*steps, "bounce counts", "claim counts"):
            purged = [make.purge(session, step, now, keep) for session in (one, other)]
            assert (step, purged) == (step, [1, 0])


def test_unsubscribes_and_the_ledger_are_kept(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, at=utc_now() - 4000 * DAY)
    run_ok(database_url, "purge")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(LedgerRow)) == 2
    assert run_ok(database_url, "verify-ledger") == "1 subscribers checked, 0 broken.\n"
