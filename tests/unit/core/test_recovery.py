"""Lifting in bulk: what a mail system stopped by mistake, and nothing that a person said (M13)."""

from collections.abc import Callable
from datetime import timedelta
from itertools import chain

import pytest
from sqlalchemy.orm import Session

from preference_center.core import bounces, erasure, ledger, recovery, subscribers
from preference_center.core.bounces import Bounce
from preference_center.core.errors import UndoNotOfferedError
from preference_center.core.recovery import BounceFilter
from preference_center.core.vocab import (
    SUPPRESSION_SCOPES,
    BounceSeverity,
    Frequency,
    Scope,
    Source,
)
from preference_center.store import Database
from tests.support import make

HOUR = timedelta(hours=1)
OURS = BounceFilter("mail.example", make.NOW - HOUR, make.NOW + HOUR)
ADA = "ada@mail.example"


def let_bounce(
    session: Session, email: str = ADA, authority: bounces.Authority = "provider"
) -> None:
    bounce = Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, authority)
    assert make.bounce(session, bounce, email=email) == "suppressed"


def lift(session: Session, stops: BounceFilter = OURS) -> int:
    context = make.context(Source.CLI, make.NOW + HOUR)
    found = list(recovery.find_suppressed(session, stops))
    return sum(
        recovery.remove_suppressions(session, kind, people, stops, context)
        for kind, people in found
    )


def stops(session: Session, email: str = ADA) -> set[str]:
    return set(subscribers.lock(session, make.person(email), make.NOW).suppressions)


def test_what_a_bounce_stopped_is_as_it_was(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, ADA).subscriptions["weekly-news"].frequency = Frequency.MONTHLY
        let_bounce(session, authority="return-path")
        let_bounce(session, authority="provider")
        assert stops(session) == {"all", "address"}
        assert lift(session) == 2
        assert stops(session) == set()
        person = subscribers.lock(session, make.person(ADA), make.NOW)
        held = person.subscriptions["weekly-news"]
        assert (held.status, held.frequency) == ("subscribed", "monthly")


def test_the_ledger_says_so(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, ADA)
        let_bounce(session)
        lift(session)
        assert make.events(session, ADA)[-1] == ("lifted", "address")
        (*_, last) = ledger.load(session, make.person(ADA), 1)
        assert last.row.source == "cli"
        assert list(ledger.verify(session)) == [None]


@pytest.mark.parametrize("domain", ["mail.example", "MAIL.Example"])
def test_a_domain_is_known_however_it_is_spelt(database: Database, domain: str) -> None:
    with database.transaction() as session:
        make.reader(session, "Ada@Mail.EXAMPLE")
        let_bounce(session, "Ada@Mail.EXAMPLE")
        assert lift(session, BounceFilter(domain, OURS.since, OURS.until)) == 1


def _another_domain(session: Session) -> None:
    make.reader(session, "ada@example.mail.example")
    let_bounce(session, "ada@example.mail.example")


def _nobody_knows_the_domain(session: Session) -> None:
    make.topic(session)
    let_bounce(session)


def _a_complaint(session: Session) -> None:
    make.reader(session, ADA)
    make.stop(session, ADA, None, source="complaint")


def _their_own_choice(session: Session) -> None:
    make.reader(session, ADA)
    make.stop(session, ADA, None)


def _said_again_by_the_person(session: Session) -> None:
    make.reader(session, ADA)
    let_bounce(session, authority="return-path")
    make.stop(session, ADA, None)


def _before(session: Session) -> None:
    make.reader(session, ADA)
    make.stop(session, ADA, None, Scope.ADDRESS, source="bounce", at=make.NOW - 2 * HOUR)


def _erased(session: Session) -> None:
    make.reader(session, ADA)
    let_bounce(session)
    erasure.erase(session, make.person(ADA), Source.CLI, make.NOW)


@pytest.mark.parametrize(
    "happened",
    [
        _another_domain,
        _nobody_knows_the_domain,
        _a_complaint,
        _their_own_choice,
        _said_again_by_the_person,
        _before,
        _erased,
    ],
)
def test_every_other_stop_stays(database: Database, happened: Callable[[Session], None]) -> None:
    with database.transaction() as session:
        happened(session)
        before = stops(session) | stops(session, "ada@example.mail.example")
        assert before
        assert lift(session) == 0
        assert stops(session) | stops(session, "ada@example.mail.example") == before


def _put_back_by_undo(session: Session) -> None:
    make.reader(session, ADA)
    let_bounce(session, authority="return-path")
    make.stop(session, ADA, None)
    joined = make.join(session, ADA)
    make.undo(session, joined.first_seq, joined.last_seq, ADA)


def test_what_a_person_put_back_by_undo_is_theirs(database: Database) -> None:
    with database.transaction() as session:
        _put_back_by_undo(session)
        assert stops(session) == {"all"}
        assert lift(session) == 0


def test_what_bounced_again_is_not_lifted_by_undoing_an_undo(database: Database) -> None:
    with database.transaction() as session:
        _put_back_by_undo(session)
        bounce = Bounce(BounceSeverity.PERMANENT, "5.1.1", make.NOW, "return-path")
        assert make.bounce(session, bounce, email=ADA) == "duplicate"
        last = subscribers.lock(session, make.person(ADA), make.NOW).seq
        with pytest.raises(UndoNotOfferedError):
            make.undo(session, last - 1, last, ADA)


def test_people_are_found_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "BATCH_SIZE", 3)
    emails = [f"reader{number}@mail.example" for number in range(7)]
    with database.transaction() as session:
        for email in emails:
            make.reader(session, email)
            let_bounce(session, email)
        pages = [people for _, people in recovery.find_suppressed(session, OURS)]
        assert [len(page) for page in pages] == [3, 3, 1]
        assert {*chain.from_iterable(pages)} == {make.person(email) for email in emails}


def test_what_changed_since_it_was_found_is_looked_at_again(database: Database) -> None:
    with database.transaction() as session:
        _erased(session)
        make.reader(session, "ben@mail.example")
        late = make.NOW + 2 * HOUR
        make.stop(session, "ben@mail.example", None, Scope.ADDRESS, source="bounce", at=late)
        people = [make.person(ADA), make.person("ben@mail.example")]
        for kind in SUPPRESSION_SCOPES:
            assert (
                recovery.remove_suppressions(session, kind, people, OURS, make.context(Source.CLI))
                == 0
            )


def test_an_address_that_bounces_again_is_stopped_again(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session, ADA)
        let_bounce(session)
        lift(session)
        let_bounce(session)
        assert stops(session) == {"address"}
