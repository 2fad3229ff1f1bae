"""Audience checks: the verdict for each state of a subscriber, and what a check records."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from preference_center.core import audience, erasure, subscribers, topics
from preference_center.core.errors import TopicRefusal
from preference_center.core.vocab import Frequency, Scope, Source, Status
from preference_center.store import Database
from tests.support import make

ADA = "ada@example.org"


def _check(session: Session, email: str = ADA) -> audience.Verdict:
    topic = topics.get(session, "weekly-news")
    person = make.id_of(email)
    return audience.check(session, topic, "c", {person: email}, make.NOW)[person]


def _of_person(session: Session) -> audience.Verdict:
    """Return the verdict that a page about one person shows."""
    person = subscribers.find(session, make.id_of())
    known = topics.list_topics(session)
    return audience.of_person(session, person, known, make.NOW)["weekly-news"]


def _subscribed_to_another_topic(session: Session) -> None:
    make.subscriber(session, ADA, "offers")


def _unsubscribed_from_all(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None)


def _bounced(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source="bounce")


def _unsubscribed(session: Session) -> None:
    make.subscriber(session)
    make.unsubscribe(session)


def _unsubscribed_while_unknown(session: Session) -> None:
    make.unsubscribe(session)


def _erased(session: Session) -> None:
    make.subscriber(session)
    erasure.erase(session, [make.id_of()], Source.CLI, make.NOW)


def _paused(session: Session) -> None:
    make.subscriber(session, paused_until=make.NOW + timedelta(days=1))


def _paused_until_now(session: Session) -> None:
    make.subscriber(session, paused_until=make.NOW)


def _claimed_this_week(session: Session) -> None:
    make.subscriber(session, frequency=Frequency.WEEKLY)
    topic, before = topics.get(session, "weekly-news"), make.NOW - timedelta(days=6)
    audience.claim(session, topic, "the last one", [make.id_of()], before)


def _paused_and_unsubscribed(session: Session) -> None:
    _paused(session)
    make.unsubscribe(session)


CASES: list[tuple[Callable[[Session], object], str, str, str]] = [
    # setup, verdict and reason on an opt-in topic, verdict on an opt-out topic
    (lambda _: None, "deny", "unknown", "allow"),
    (make.subscriber, "allow", "", "allow"),
    (_subscribed_to_another_topic, "deny", "not_subscribed", "allow"),
    (
        lambda session: make.subscriber(session, status=Status.UNCONFIRMED),
        "deny",
        Status.UNCONFIRMED,
        "deny",
    ),
    (_unsubscribed, "deny", "unsubscribed", "deny"),
    (_unsubscribed_while_unknown, "deny", "unsubscribed", "deny"),
    (_unsubscribed_from_all, "deny", "suppressed", "deny"),
    (_bounced, "deny", "suppressed", "deny"),
    (_erased, "deny", "erased", "deny"),
    (_paused, "defer", "paused", "defer"),
    (_paused_until_now, "allow", "", "allow"),
    (_claimed_this_week, "defer", "frequency", "defer"),
    (_paused_and_unsubscribed, "deny", "unsubscribed", "deny"),
]


@pytest.mark.parametrize(("prepare", "verdict", "reason", "_opt_out"), CASES)
def test_verdicts_on_an_opt_in_topic(
    database: Database,
    prepare: Callable[[Session], object],
    verdict: str,
    reason: str,
    _opt_out: str,
) -> None:
    with database.transaction() as session:
        make.topic(session)
        prepare(session)
    with database.transaction() as session:
        found = _check(session)
        assert (found.decision, found.reason or "") == (verdict, reason)
        assert replace(_of_person(session), email=found.email) == found


@pytest.mark.parametrize(("prepare", "_verdict", "_reason", "opt_out"), CASES)
def test_verdicts_on_an_opt_out_topic(
    database: Database,
    prepare: Callable[[Session], object],
    _verdict: str,
    _reason: str,
    opt_out: str,
) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        prepare(session)
    with database.transaction() as session:
        read, found = _of_person(session), _check(session)
        assert found.decision == opt_out
        assert replace(read, email=found.email) == found


def test_a_check_on_an_archived_topic_is_refused(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
        with pytest.raises(TopicRefusal, match="archived"):
            _check(session)


def test_a_check_records_the_address_of_an_allowed_recipient(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        _check(session, "new@example.org")
    with database.reading() as session:
        found = subscribers.find(session, make.id_of("new@example.org"))
        assert found is not None
        assert found.email == "new@example.org"


@pytest.mark.parametrize("prepare", [_unsubscribed_while_unknown, _erased])
def test_a_check_records_no_address_after_an_unsubscribe_or_erasure(
    database: Database, prepare: Callable[[Session], object]
) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        prepare(session)
    with database.transaction() as session:
        _check(session)
    with database.reading() as session:
        found = subscribers.find(session, make.id_of())
        assert found is not None
        assert found.email is None


def test_a_check_does_not_record_an_invalid_address(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        _check(session, "ada@example.org\r\nBcc: eve@example.org")
        assert subscribers.find(session, make.id_of("ada@example.org")) is None


def test_a_reduced_frequency_on_an_opt_out_topic_is_respected(database: Database) -> None:
    with database.transaction() as session:
        topic = make.topic(session, policy="opt_out")
        make.reduce(session, Frequency.MONTHLY)
        audience.claim(session, topic, "the last one", [make.id_of()], make.NOW)
        found = audience.check(session, topic, "c", {make.id_of(): ADA}, make.NOW)
        assert found[make.id_of()].reason == "frequency"


def test_checking_a_thousand_recipients_takes_one_statement(database: Database) -> None:
    people = {make.id_of(f"p{number}@example.org"): "" for number in range(1000)}
    statements: list[str] = []
    with database.transaction() as session:
        topic = make.topic(session)
        session.flush()
        event.listen(
            database.engine, "before_cursor_execute", lambda *args: statements.append(args[2])
        )
        assert len(audience.check(session, topic, "c", people, make.NOW)) == 1000
    assert len(statements) == 1
