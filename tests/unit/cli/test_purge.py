"""`purge`: what is old is forgotten, all of it and nothing else (P12)."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from preference_center.core import domain_hold, reasons, retention
from preference_center.core.vocab import ReasonCode
from preference_center.store import Database
from preference_center.store.tables import AnonymizedReason, Claim, LedgerRow, OutboxRow, Reason
from preference_center.util.clock import utc_now
from tests.support import make
from tests.support.command import run, run_ok

DAY = timedelta(days=1)
NOTHING = [0] * len(retention.STEPS)


def mail(settled_at: datetime | None) -> dict[str, Any]:
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


def reason(session: Session, email: str, given_at: datetime, campaign: str = "47") -> None:
    make.subscriber(session, email)
    stop = make.unsubscribe(session, email, campaign=campaign)
    reasons.record(
        session, make.id_of(email), stop.last_seq, ReasonCode.OTHER, "Too many.", given_at
    )


def claim(session: Session, email: str, campaign: str, claimed_at: datetime) -> None:
    person = make.id_of(email)
    row = {"topic": "weekly-news", "campaign": campaign, "claimed_at": claimed_at}
    session.execute(insert(Claim), [{"subscriber_id": person, **row}])


def one_of_each_age(database: Database) -> None:
    """Add, of each kind, one thing a day younger than its term and one a day (a week) older."""
    now = utc_now()
    with database.transaction() as session:
        make.topic(session)
        session.execute(insert(OutboxRow), [mail(None), mail(now - 29 * DAY), mail(now - 31 * DAY)])
        reason(session, "young@example.org", now - 89 * DAY)
        reason(session, "old@example.org", now - 91 * DAY)
        reason(session, "older@example.org", now - 358 * DAY)
        reason(session, "oldest@example.org", now - 372 * DAY)
        claim(session, "young@example.org", "1", now - 395 * DAY)
        claim(session, "old@example.org", "1", now - 397 * DAY)


def counted(said: str) -> list[int]:
    """Return how many mails, claims, persons and texts an output speaks of."""
    return [int(line.split()[0].replace(",", "")) for line in said.splitlines()[1:]]


def rows(database: Database) -> list[int | None]:
    with database.reading() as session:
        tables = (OutboxRow, Claim, Reason, AnonymizedReason)
        return [session.scalar(select(func.count()).select_from(table)) for table in tables]


def test_what_is_old_is_forgotten_and_nothing_else(database: Database, database_url: str) -> None:
    one_of_each_age(database)
    said = run_ok(database_url, "purge")
    assert said.startswith("Purged:\n")
    assert counted(said) == [1, 1, 3, 1, 0, 0, 0, 0, 0]
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
    assert counted(run_ok(database_url, "purge")) == NOTHING


def test_a_dry_run_counts_the_same_and_forgets_nothing(
    database: Database, database_url: str
) -> None:
    one_of_each_age(database)
    before = rows(database)
    said = run_ok(database_url, "purge", "--dry-run")
    assert said.startswith("Would be purged:\n")
    assert rows(database) == before
    assert counted(run_ok(database_url, "purge")) == counted(said)


def test_the_terms_are_settings(database: Database, database_url: str) -> None:
    one_of_each_age(database)
    names = ("CLAIM_RETENTION_DAYS", "REASON_IDENTITY_RETENTION_DAYS", "REASON_TEXT_RETENTION_DAYS")
    longer = {"OUTBOX_RETENTION_DAYS": "40", **dict.fromkeys(names, "400")}
    assert counted(run_ok(database_url, "purge", **longer)) == NOTHING


def test_a_reason_loses_its_person_no_later_than_its_text(
    database: Database, database_url: str
) -> None:
    one_of_each_age(database)
    said = run_ok(database_url, "purge", REASON_TEXT_RETENTION_DAYS="30")
    assert counted(said)[2:4] == [4, 4]


def test_claims_that_a_cap_counts_cannot_be_forgotten(database_url: str) -> None:
    result = run(database_url, "purge", CLAIM_RETENTION_DAYS="30")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "PREFERENCE_CENTER_CLAIM_RETENTION_DAYS must be a number from 31 to 36500.\n"
    )


def test_many_are_forgotten_a_thousand_at_a_time(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        session.execute(insert(OutboxRow), [mail(utc_now() - 99 * DAY) for _ in range(2_500)])
    assert counted(run_ok(database_url, "purge", "--dry-run")) == [2_500, *NOTHING[1:]]
    assert counted(run_ok(database_url, "purge")) == [2_500, *NOTHING[1:]]
    assert rows(database) == NOTHING[:4]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_purges_at_once_take_each_reason_once(database: Database) -> None:
    one_of_each_age(database)
    now = utc_now()
    with database.transaction() as one, database.transaction() as other:
        taken = [make.anonymize_reasons(session, now) for session in (one, other)]
    assert taken == [3, 0]
    assert rows(database)[2:] == [1, 3]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_purge_waits_for_no_row_that_another_transaction_holds(database: Database) -> None:
    one_of_each_age(database)
    now = utc_now()
    keep = replace(make.RETENTION, reason_identities=400 * DAY)
    with database.transaction() as session:
        domain_hold.count_claims(session, ["ada@own.example"], now - 99 * DAY)
        domain_hold.count_failure(session, "own.example", now - 99 * DAY)
        week = reasons.week_of(now - 999 * DAY)
        past = {"id": uuid4(), "week": week, "topic": "weekly-news", "code": "other"}
        session.execute(insert(AnonymizedReason), [{**past, "note": "Too many."}])
    steps = ("emails", "claims", "reason texts")
    with database.transaction() as one, database.transaction() as other:
        for step in (*steps, "bounce counts", "claim counts"):
            taken = [make.purge(session, step, now, keep) for session in (one, other)]
            assert (step, taken) == (step, [1, 0])


def test_stops_and_the_ledger_are_kept(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, at=utc_now() - 4000 * DAY)
    run_ok(database_url, "purge")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(LedgerRow)) == 2
    assert run_ok(database_url, "verify-ledger") == "1 subscribers checked, 0 broken.\n"
