"""Erasure: only the fingerprint and its suppression remain, whatever is received later."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from preference_center.core import (
    audience,
    bounces,
    erasure,
    leases,
    outbox,
    reasons,
    subscribers,
    topics,
    verification,
)
from preference_center.core.apply import apply
from preference_center.core.change import Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.errors import UndoSupersededError
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.vocab import (
    Frequency,
    OutboxKind,
    Pause,
    ReasonCode,
    Scope,
    Source,
)
from preference_center.store import Database
from preference_center.store.tables import (
    AnonymizedReason,
    Base,
    BounceCount,
    Claim,
    ClaimCount,
    EmailedCount,
    FailedMailing,
    LedgerDetail,
    LedgerRow,
    OutboxRow,
    Reason,
    SubscriberRow,
    SubscriptionRow,
)
from tests.support import make

CANARY = "canary-7d1f"
PERSONAL_DOMAIN_EMAIL = f"ada@{CANARY}.example"


def _erase(database: Database) -> int:
    with database.transaction() as session:
        return erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)


def _all_values(database: Database) -> list[Any]:
    with database.reading() as session:
        tables = Base.metadata.sorted_tables
        return [
            value for table in tables for row in session.execute(select(table)) for value in row
        ]


def test_erasure_deletes_all_personal_data(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, "ada@example.org", acquired_from=CANARY)
        make.set_details(session, locale="de")
        make.unsubscribe(session, notice_delay=timedelta(minutes=2))
    assert "ada@example.org" in _all_values(database)
    assert _erase(database)
    assert not {"ada@example.org", CANARY, "de"} & {str(value) for value in _all_values(database)}
    with database.reading() as session:
        assert session.query(LedgerDetail).count() == session.query(OutboxRow).count() == 0


def test_what_follows_an_erasure_in_its_batch_keeps_its_details(database: Database) -> None:
    context = make.context(source=Source.COMPLAINT, campaign="2026-47")
    changes = [
        erasure.Erase(make.id_of(), make.context()),
        Unsubscribe(make.id_of(), Target(Scope.ADDRESS), context),
    ]
    with database.transaction() as session:
        make.subscriber(session)
        apply(session, changes, make.NOW)
    with database.reading() as session:
        assert session.scalars(select(LedgerRow.campaign).order_by(LedgerRow.seq)).all()[-2:] == [
            None,
            "2026-47",
        ]
        assert set(verification.verify(session)) == {None}


def test_erasure_suppresses_the_subscriber(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
    _erase(database)
    with database.reading() as session:
        ada = subscribers.find(session, make.id_of())
        assert ada is not None
        assert set(ada.suppressions) == {"all"}
        assert ada.erased_at == make.NOW


def test_an_earlier_suppression_keeps_its_date(database: Database) -> None:
    before = make.NOW - timedelta(days=8)
    with database.transaction() as session:
        make.unsubscribe(session, slug=None, at=before)
    _erase(database)
    with database.reading() as session:
        ada = subscribers.find(session, make.id_of())
        assert ada is not None
        assert ada.suppressions[Scope.ALL].since == before


def test_an_unknown_address_can_be_erased(database: Database) -> None:
    assert _erase(database)
    with database.reading() as session:
        assert session.query(SubscriberRow).one().erased_at == make.NOW


def test_a_second_erasure_writes_nothing(database: Database) -> None:
    _erase(database)
    with database.reading() as session:
        before = make.events(session)
    assert not _erase(database)
    with database.reading() as session:
        assert make.events(session) == before


def test_the_ledger_stays_valid_after_erasure(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
    _erase(database)
    with database.transaction() as session:
        make.unsubscribe(session, source="one-click")
    with database.reading() as session:
        assert list(verification.verify(session)) == [None]


def test_an_erased_address_is_never_recorded_again(database: Database) -> None:
    _erase(database)
    with database.transaction() as session:
        subscribers.upsert_addresses(session, {make.id_of(): "ada@example.org"}, make.NOW)
    assert "ada@example.org" not in _all_values(database)


def test_a_change_cannot_be_undone_after_erasure(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session)
    _erase(database)
    with database.transaction() as session, pytest.raises(UndoSupersededError):
        make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq)


def test_erasure_deletes_a_pending_email(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, notice_delay=timedelta(0))
    _erase(database)
    with database.transaction() as session:
        assert leases.lease(session, make.NOW + timedelta(minutes=1)) is None


def test_erasure_deletes_claims_reasons_and_requested_emails(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Frequency.WEEKLY)
        topic = topics.get(session, "weekly-news")
        audience.claim(session, topic, "47", [make.id_of()], make.NOW)
        unsubscribe = make.unsubscribe(session)
        reasons.record(
            session,
            make.id_of(),
            unsubscribe.last_seq,
            ReasonCode.OTHER,
            f"It is {CANARY}",
            make.NOW,
        )
        outbox.request(session, [(make.id_of(), OutboxKind.OPT_IN_REQUEST, "offers")], make.NOW)
    assert _erase(database)
    with database.reading() as session:
        for table in (Claim, Reason, OutboxRow):
            assert session.query(table).count() == 0
        # The count of the mailing's emails names no subscriber.
        assert [(each.campaign, each.count) for each in session.query(EmailedCount)] == [("47", 1)]
    assert not [value for value in _all_values(database) if CANARY in str(value)]


def test_erasure_deletes_the_counts_of_a_personal_domain(database: Database) -> None:
    others = [f"reader{number}@mail.example" for number in range(20)]
    with database.transaction() as session:
        for email in (PERSONAL_DOMAIN_EMAIL, *others):
            make.subscriber(session, email)
        topic = topics.get(session, "weekly-news")
        ids = [make.id_of(email) for email in (PERSONAL_DOMAIN_EMAIL, *others)]
        audience.claim(session, topic, "c", ids, make.NOW)
        bounce = bounces.Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, "return-path")
        make.bounce(session, bounce, email=PERSONAL_DOMAIN_EMAIL)
        for email in (PERSONAL_DOMAIN_EMAIL, others[0]):
            erasure.erase(session, [make.id_of(email)], Source.CLI, make.NOW)
    assert not [value for value in _all_values(database) if CANARY in str(value)]
    with database.reading() as session:
        assert session.query(ClaimCount).one().count == 20
        assert session.query(FailedMailing).count() == session.query(BounceCount).count() == 0


def test_nothing_is_changed_or_recorded_for_an_erased_subscriber(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
    _erase(database)
    with database.transaction() as session:
        topic, before = topics.get(session, "weekly-news"), make.events(session)
        results = [
            make.reduce(session, Frequency.WEEKLY),
            make.reduce(session, Pause.ONE_MONTH),
            make.start_topic(session),
        ]
        assert not any(result.changed for result in results)
        assert make.events(session) == before
        found = audience.claim(session, topic, "c", [make.id_of()], make.NOW)
        assert found[make.id_of()].reason == "erased"
        assert session.query(Claim).count() == session.query(SubscriptionRow).count() == 0


def test_a_stop_after_an_erasure_records_no_language(database: Database) -> None:
    _erase(database)
    with database.transaction() as session:
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, language="de")
        assert make.found(session).locale is None
        assert make.events(session)[-1] == ("unsubscribed", "address")


def test_an_anonymized_reason_survives_erasure(database: Database) -> None:
    later = make.NOW + timedelta(days=91)
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session)
        reasons.record(
            session, make.id_of(), unsubscribe.last_seq, ReasonCode.TOO_MANY, "", make.NOW
        )
        make.anonymize_reasons(session, later)
    _erase(database)
    with database.reading() as session:
        assert session.query(AnonymizedReason).one().code == "too_many"
