"""Bulk removal of bounce suppressions; subscribers' own choices stay (M13)."""

from collections.abc import Callable
from datetime import timedelta
from itertools import chain

import pytest
from sqlalchemy.orm import Session

from preference_center.core import bounces, erasure, ledger, recovery, subscribers, verification
from preference_center.core.bounces import Bounce
from preference_center.core.errors import UndoNotOfferedError
from preference_center.core.inbound_vocab import BounceSeverity
from preference_center.core.recovery import BounceFilter
from preference_center.core.vocab import SUPPRESSION_SCOPES, Frequency, Scope, Source
from preference_center.store import Database
from tests.support import make

HOUR = timedelta(hours=1)
FILTER = BounceFilter("mail.example", make.NOW - HOUR, make.NOW + HOUR)
ADA = "ada@mail.example"


def record_bounce(
    session: Session, email: str = ADA, authority: bounces.Authority = "provider"
) -> None:
    bounce = Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, authority)
    assert make.bounce(session, bounce, email=email) == "suppressed"


def remove(session: Session, wanted: BounceFilter = FILTER) -> int:
    context = make.context(Source.CLI, make.NOW + HOUR)
    found = list(recovery.find_suppressed(session, wanted))
    return sum(
        recovery.remove_suppressions(session, kind, people, wanted, context)
        for kind, people in found
    )


def suppressions(session: Session, email: str = ADA) -> set[str]:
    person = subscribers.find(session, make.id_of(email))
    return set(person.suppressions) if person is not None else set()


def test_removal_restores_the_state_before_the_bounces(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, frequency=Frequency.MONTHLY)
        record_bounce(session, authority="return-path")
        record_bounce(session, authority="provider")
        assert suppressions(session) == {"all", "address"}
        assert remove(session) == 2
        assert suppressions(session) == set()
        subscription = make.found(session, ADA).subscriptions["weekly-news"]
        assert (subscription.status, subscription.frequency) == ("subscribed", "monthly")


def test_a_removal_is_recorded_in_the_ledger(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA)
        record_bounce(session)
        remove(session)
        assert make.events(session, ADA)[-1] == ("lifted", "address")
        (*_, last) = ledger.load(session, make.id_of(ADA), 1)
        assert last.source == "cli"
        assert list(verification.verify(session)) == [None]


@pytest.mark.parametrize("domain", ["mail.example", "MAIL.Example"])
def test_the_case_of_a_domain_does_not_matter(database: Database, domain: str) -> None:
    with database.transaction() as session:
        make.subscriber(session, "Ada@Mail.EXAMPLE")
        record_bounce(session, "Ada@Mail.EXAMPLE")
        assert remove(session, BounceFilter(domain, FILTER.since, FILTER.until)) == 1


def _another_domain(session: Session) -> None:
    make.subscriber(session, "ada@example.mail.example")
    record_bounce(session, "ada@example.mail.example")


def _unknown_domain(session: Session) -> None:
    make.topic(session)
    record_bounce(session)


def _complaint(session: Session) -> None:
    make.subscriber(session, ADA)
    make.unsubscribe(session, ADA, None, source="complaint")


def _own_unsubscribe(session: Session) -> None:
    make.subscriber(session, ADA)
    make.unsubscribe(session, ADA, None)


def _repeated_by_the_subscriber(session: Session) -> None:
    make.subscriber(session, ADA)
    record_bounce(session, authority="return-path")
    make.unsubscribe(session, ADA, None)


def _bounced_before(session: Session) -> None:
    make.subscriber(session, ADA)
    make.unsubscribe(session, ADA, None, Scope.ADDRESS, source="bounce", at=make.NOW - 2 * HOUR)


def _erased(session: Session) -> None:
    make.subscriber(session, ADA)
    record_bounce(session)
    erasure.erase(session, [make.id_of(ADA)], Source.CLI, make.NOW)


@pytest.mark.parametrize(
    "prepare",
    [
        _another_domain,
        _unknown_domain,
        _complaint,
        _own_unsubscribe,
        _repeated_by_the_subscriber,
        _bounced_before,
        _erased,
    ],
)
def test_every_other_suppression_stays(
    database: Database, prepare: Callable[[Session], None]
) -> None:
    with database.transaction() as session:
        prepare(session)
        before = suppressions(session) | suppressions(session, "ada@example.mail.example")
        assert before
        assert remove(session) == 0
        assert suppressions(session) | suppressions(session, "ada@example.mail.example") == before


def _restored_by_undo(session: Session) -> None:
    make.subscriber(session, ADA)
    record_bounce(session, authority="return-path")
    make.unsubscribe(session, ADA, None)
    joined = make.start_topic(session, ADA)
    make.undo(session, joined.first_seq, joined.last_seq, ADA)


def test_a_suppression_restored_by_undo_is_not_removed(database: Database) -> None:
    with database.transaction() as session:
        _restored_by_undo(session)
        assert suppressions(session) == {"all"}
        assert remove(session) == 0


def test_a_repeated_bounce_prevents_undoing_an_undo(database: Database) -> None:
    with database.transaction() as session:
        _restored_by_undo(session)
        bounce = Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, "return-path")
        assert make.bounce(session, bounce, email=ADA) == "duplicate"
        last = make.found(session, ADA).seq
        with pytest.raises(UndoNotOfferedError):
            make.undo(session, last - 1, last, ADA)


def test_suppressed_subscribers_are_found_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "BATCH_SIZE", 3)
    emails = [f"reader{number}@mail.example" for number in range(7)]
    with database.transaction() as session:
        for email in emails:
            make.subscriber(session, email)
            record_bounce(session, email)
        batches = [people for _, people in recovery.find_suppressed(session, FILTER)]
        assert [len(batch) for batch in batches] == [3, 3, 1]
        assert {*chain.from_iterable(batches)} == {make.id_of(email) for email in emails}


def test_removal_checks_again_what_was_found_earlier(database: Database) -> None:
    with database.transaction() as session:
        _erased(session)
        make.subscriber(session, "ben@mail.example")
        late = make.NOW + 2 * HOUR
        make.unsubscribe(session, "ben@mail.example", None, Scope.ADDRESS, source="bounce", at=late)
        people = [make.id_of(ADA), make.id_of("ben@mail.example")]
        for kind in SUPPRESSION_SCOPES:
            assert (
                recovery.remove_suppressions(
                    session, kind, people, FILTER, make.context(Source.CLI)
                )
                == 0
            )


def test_an_address_that_bounces_again_is_suppressed_again(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA)
        record_bounce(session)
        remove(session)
        record_bounce(session)
        assert suppressions(session) == {"address"}
