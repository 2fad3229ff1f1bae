"""Who may be mailed now, and what asking leaves behind."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from preference_center.core import audience, erasure, subscribers, subscriptions, topics
from preference_center.core.errors import TopicRefusal
from preference_center.core.vocab import Frequency, Scope, Source, Status
from preference_center.store import Database
from tests.support import make

ADA = "ada@example.org"


def _verdict(session: Session, email: str = ADA) -> audience.Verdict:
    topic = topics.get(session, "weekly-news")
    person = make.person(email)
    return audience.check(session, topic, "c", {person: email}, make.NOW)[person]


def _other_topic(session: Session) -> None:
    make.reader(session, ADA, "offers")


def _everything(session: Session) -> None:
    make.reader(session)
    make.stop(session, slug=None)


def _bounced(session: Session) -> None:
    make.reader(session)
    make.stop(session, slug=None, scope=Scope.ADDRESS, source="bounce")


def _left(session: Session) -> None:
    make.reader(session)
    make.stop(session)


def _left_unseen(session: Session) -> None:
    make.stop(session)


def _erased(session: Session) -> None:
    make.reader(session)
    erasure.erase(session, make.person(), Source.CLI, make.NOW)


def _paused(session: Session) -> None:
    ada = make.reader(session)
    ada.subscriptions["weekly-news"].paused_until = make.NOW + timedelta(days=1)


def _paused_till_now(session: Session) -> None:
    ada = make.reader(session)
    ada.subscriptions["weekly-news"].paused_until = make.NOW


def _mailed_this_week(session: Session) -> None:
    ada = make.reader(session)
    ada.subscriptions["weekly-news"].frequency = Frequency.WEEKLY
    session.flush()
    topic, before = topics.get(session, "weekly-news"), make.NOW - timedelta(days=6)
    audience.claim(session, topic, "the last one", [make.person()], before)


def _paused_and_left(session: Session) -> None:
    _paused(session)
    make.stop(session)


CASES: list[tuple[Callable[[Session], object], str, str, str]] = [
    # what happened, then the verdict of a topic whose silence denies, and of one that allows
    (lambda _: None, "deny", "unknown", "allow"),
    (make.reader, "allow", "", "allow"),
    (_other_topic, "deny", "not_subscribed", "allow"),
    (
        lambda session: make.reader(session, status=Status.UNCONFIRMED),
        "deny",
        Status.UNCONFIRMED,
        "deny",
    ),
    (_left, "deny", "unsubscribed", "deny"),
    (_left_unseen, "deny", "unsubscribed", "deny"),
    (_everything, "deny", "suppressed", "deny"),
    (_bounced, "deny", "suppressed", "deny"),
    (_erased, "deny", "erased", "deny"),
    (_paused, "defer", "paused", "defer"),
    (_paused_till_now, "allow", "", "allow"),
    (_mailed_this_week, "defer", "frequency", "defer"),
    (_paused_and_left, "deny", "unsubscribed", "deny"),
]


@pytest.mark.parametrize(("happened", "verdict", "reason", "_opt_out"), CASES)
def test_verdicts_where_silence_denies(
    database: Database,
    happened: Callable[[Session], object],
    verdict: str,
    reason: str,
    _opt_out: str,
) -> None:
    with database.transaction() as session:
        make.topic(session)
        happened(session)
    with database.transaction() as session:
        found = _verdict(session)
        assert (found.verdict, found.reason) == (verdict, reason)


@pytest.mark.parametrize(("happened", "_verdict_", "_reason", "opt_out"), CASES)
def test_verdicts_where_silence_allows(
    database: Database,
    happened: Callable[[Session], object],
    _verdict_: str,
    _reason: str,
    opt_out: str,
) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        happened(session)
    with database.transaction() as session:
        assert _verdict(session).verdict == opt_out


def test_nobody_is_mailed_on_an_archived_topic(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        topics.archive(topics.get(session, "weekly-news"), make.NOW)
        with pytest.raises(TopicRefusal, match="archived"):
            _verdict(session)


def test_the_address_of_who_may_be_mailed_is_remembered(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        _verdict(session, "new@example.org")
    with database.reading() as session:
        found = subscribers.find(session, make.person("new@example.org"))
        assert found is not None
        assert found.email == "new@example.org"


@pytest.mark.parametrize("happened", [_left_unseen, _erased])
def test_the_address_of_who_left_is_not_remembered(
    database: Database, happened: Callable[[Session], object]
) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        happened(session)
    with database.transaction() as session:
        _verdict(session)
    with database.reading() as session:
        found = subscribers.find(session, make.person())
        assert found is not None
        assert found.email is None


def test_an_address_that_is_not_one_is_not_remembered(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        _verdict(session, "ada@example.org\r\nBcc: eve@example.org")
        assert subscribers.find(session, make.person("ada@example.org")) is None


def test_who_asked_for_less_where_silence_allows_is_obeyed(database: Database) -> None:
    with database.transaction() as session:
        topic = make.topic(session, policy="opt_out")
        stranger = subscribers.lock(session, make.person(), make.NOW)
        subscriptions.reduce_or_pause(session, stranger, topic, Frequency.MONTHLY, make.context())
        audience.claim(session, topic, "the last one", [make.person()], make.NOW)
        found = audience.check(session, topic, "c", {make.person(): ADA}, make.NOW)
        assert found[make.person()].reason == "frequency"


def test_asking_about_many_takes_one_statement(database: Database) -> None:
    people = {make.person(f"p{number}@example.org"): "" for number in range(1000)}
    statements: list[str] = []
    with database.transaction() as session:
        topic = make.topic(session)
        session.flush()
        event.listen(
            database.engine, "before_cursor_execute", lambda *args: statements.append(args[2])
        )
        assert len(audience.check(session, topic, "c", people, make.NOW)) == 1000
    assert len(statements) == 1
