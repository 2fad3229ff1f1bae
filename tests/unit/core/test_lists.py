"""The people whom the filters of a list select, on each engine."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from preference_center.core import erasure, reasons, rollups, topics
from preference_center.core.apply import apply, apply_one
from preference_center.core.errors import ListRefusal
from preference_center.core.lists import people
from preference_center.core.lists.choice import Choice, MakeChoice
from preference_center.core.staff_vocab import Standing
from preference_center.core.undo import UndoRows
from preference_center.core.vocab import Frequency, Pause, ReasonCode, Scope, Source, Status
from preference_center.store import Database
from preference_center.store.list_queries import ListFilter
from preference_center.store.tables import Claim
from tests.support import make

DAY = timedelta(days=1)
LONG_AGO = make.NOW - 400 * DAY
CONSOLE = make.context(Source.CONSOLE)
PEOPLE = ("reader", "left", "left all", "never", "unconfirmed", "less")
NAMES = ("ada", "bob", "eve", "fay", "gil", "hal", "ian", "kim")


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """Yield a session that writes to each engine in turn."""
    with database.transaction() as session:
        yield session


def fill(session: Session) -> None:
    """Add people: ada and bob get all; each other one differs in one way."""
    make.topic(session)
    make.topic(session, "offers")
    make.topic(session, "town", policy="opt_out")
    for name in ("ada", "eve", "gil", "hal"):
        make.subscriber(session, f"{name}@example.org", since=LONG_AGO)
    make.subscriber(session, "bob@example.org", "weekly-news", "offers", since=make.NOW - 9 * DAY)
    make.subscriber(session, "fay@example.org", status=Status.UNCONFIRMED, since=LONG_AGO)
    left = make.unsubscribe(session, "eve@example.org", at=make.NOW - 3 * DAY)
    reason = ReasonCode.TOO_MANY
    reasons.record(session, make.id_of("eve@example.org"), left.last_seq, reason, "", make.NOW)
    make.unsubscribe(session, "gil@example.org", None, at=make.NOW - 2 * DAY)
    make.unsubscribe(session, "hal@example.org", None, Scope.ADDRESS, source=Source.API)
    make.reduce(session, Frequency.WEEKLY, "bob@example.org")
    make.reduce(session, Pause.TWO_WEEKS)
    for email in ("ada", "bob", "eve"):
        row = {"topic": "weekly-news", "campaign": "47", "claimed_at": make.NOW}
        released = make.NOW if email == "eve" else None
        person = make.id_of(f"{email}@example.org")
        row |= {"subscriber_id": person, "released_at": released, "received": 1}
        session.execute(insert(Claim), [row])
    rollups.count_emailed(session, "weekly-news", "47", {(make.NOW, 1): 2})
    make.subscriber(session, "ian@example.org", "offers", status=Status.UNSUBSCRIBED)
    with make.drafted(session, "ian@example.org") as draft:
        draft.subscriber.note_silence(1)
    make.subscriber(session, "kim@example.org")
    with make.drafted(session, "kim@example.org") as draft:
        draft.subscriber.erased_at = make.NOW


def selected(session: Session, filters: dict[str, Any]) -> set[str]:
    """Return the names of those whom filters select."""
    names = {make.id_of(f"{name}@example.org"): name for name in NAMES}
    found = people.find(session, ListFilter(**filters), UTC, 99)
    assert found == sorted(found)
    return {names[each] for each in found}


ALL = {"ada", "bob", "eve", "fay", "gil", "hal", "ian"}  # Kim is erased.
TODAY = make.NOW.date()


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({}, ALL),
    ({"topic": "offers"}, {"bob", "ian"}),
    ({"topic": "weekly-news"}, ALL - {"ian"}),
    ({"topic": "weekly-news", "status": Standing.SUBSCRIBED}, {"ada", "bob"}),
    ({"topic": "weekly-news", "status": Standing.UNSUBSCRIBED}, {"eve", "gil"}),
    ({"topic": "weekly-news", "status": Standing.UNCONFIRMED}, {"fay"}),
    ({"topic": "weekly-news", "status": Standing.SUPPRESSED}, {"hal"}),
    ({"topic": "town", "status": Standing.SUBSCRIBED}, {"ada", "bob", "eve", "fay"}),
    ({"topic": "town", "status": Standing.UNSUBSCRIBED}, {"gil"}),
    ({"status": Standing.SUBSCRIBED}, {"ada", "bob", "eve", "fay"}),
    ({"status": Standing.UNSUBSCRIBED}, {"gil"}),
    ({"status": Standing.UNCONFIRMED}, {"fay"}),
    ({"status": Standing.SUPPRESSED}, {"hal"}),
    ({"topic": "weekly-news", "frequency": Frequency.WEEKLY}, {"bob"}),
    ({"frequency": Frequency.WEEKLY}, {"bob"}),
    ({"topic": "weekly-news", "frequency": Frequency.EVERY}, {"ada"}),  # The others left it.
    ({"topic": "town", "frequency": Frequency.EVERY}, {"ada", "bob", "eve", "fay"}),
    ({"reason": ReasonCode.TOO_MANY}, {"eve"}),
    ({"topic": "weekly-news", "reason": ReasonCode.TOO_MANY}, {"eve"}),
    ({"topic": "town", "reason": ReasonCode.TOO_MANY}, set()),
    ({"topic": "weekly-news", "campaign": "47"}, {"ada", "bob"}),
    ({"topic": "weekly-news", "joined_from": TODAY - 9 * DAY}, {"bob"}),
    ({"joined_to": LONG_AGO.date()}, ALL - {"bob"}),
    ({"left_from": TODAY - 3 * DAY, "left_to": TODAY - 3 * DAY}, {"eve"}),
    ({"left_from": TODAY - 2 * DAY}, {"gil"}),
    ({"topic": "weekly-news", "left_from": TODAY - 3 * DAY}, {"eve", "gil"}),
    ({"topic": "weekly-news", "left_to": TODAY - 4 * DAY}, set()),
]


def test_filters(database: Database) -> None:
    with database.transaction() as session:
        fill(session)
    with database.reading() as session:
        found = [(filters, selected(session, filters)) for filters, _ in CASES]
    assert found == CASES


def test_a_campaign_of_which_no_email_was_claimed_is_refused(database: Database) -> None:
    with database.transaction() as session:
        fill(session)
    with database.reading() as session:
        [offered] = people.campaigns(session, make.NOW)
        assert (offered.topic, offered.campaign) == ("weekly-news", "47")
        with pytest.raises(ListRefusal, match="“47” was claimed for Offers"):
            selected(session, {"topic": "offers", "campaign": "47"})


def test_the_words_of_filters_can_be_read_again() -> None:
    wanted = ListFilter(topic="offers", reason=ReasonCode.OTHER, left_to=date(2026, 11, 22))
    assert wanted.plain() == {"topic": "offers", "reason": "other", "left_to": "2026-11-22"}
    assert datetime.fromisoformat(wanted.plain()["left_to"]).date() == wanted.left_to


Later = Callable[[Session], object]
# What a person does after `weekly-news` was capped for all of a list, and whether undo restores it.
LATER: Mapping[str, tuple[Later, bool]] = {
    "nothing": (lambda session: None, True),
    "leaves another topic": (lambda session: make.unsubscribe(session, slug="offers"), True),
    "pauses it": (lambda session: make.reduce(session, Pause.TWO_WEEKS), False),
    "wants more": (lambda session: make.set_frequency(session, Frequency.EVERY), False),
    "leaves it": (make.unsubscribe, False),
    "leaves everything": (lambda session: make.unsubscribe(session, slug=None), False),
    "complains": (lambda session: make.unsubscribe(session, source=Source.COMPLAINT), False),
    "is erased": (
        lambda session: erasure.erase(session, [make.id_of()], Source.CLI, make.NOW),
        False,
    ),
}


@pytest.mark.parametrize("name", LATER)
def test_an_undo_restores_only_those_who_have_not_changed_since(
    session: Session, name: str
) -> None:
    later, restores = LATER[name]
    make.subscriber(session, "ada@example.org", "weekly-news", "offers")
    choice = MakeChoice(make.id_of(), Choice(Frequency.MONTHLY, "weekly-news"), CONSOLE)
    rows = apply_one(session, choice, make.NOW)
    later(session)
    before = make.found(session)
    assert apply_one(session, UndoRows(make.id_of(), *rows, CONSOLE), make.NOW) is restores
    after = make.found(session)
    if restores:
        assert after.subscriptions["weekly-news"].frequency is Frequency.EVERY
    else:
        assert after == before


def test_a_pause_of_everything_is_not_undone_once_a_topic_has_changed(session: Session) -> None:
    make.subscriber(session, "ada@example.org", "weekly-news", "offers")
    choice = Choice(Pause.TWO_WEEKS, None, make.NOW + 14 * DAY)
    rows = apply_one(session, MakeChoice(make.id_of(), choice, CONSOLE), make.NOW)
    paused = make.found(session)
    assert {each.paused_until for each in paused.subscriptions.values()} == {choice.until}
    make.resume(session)
    undo = UndoRows(make.id_of(), *rows, CONSOLE)
    assert not apply_one(session, undo, make.NOW)
    assert make.found(session).subscriptions["offers"].paused_until == choice.until


# Each choice, and whether it changes: a reader, one who left, one who left everything, one who
# never had the topic, one who did not confirm, and one who has a shorter pause and a cap.
CHANGES: Mapping[Choice, str] = {
    Choice(Scope.TOPIC, "weekly-news"): "reader, left all, unconfirmed, less",
    Choice(Scope.ALL, None): "reader, left, never, unconfirmed, less",
    Choice(Frequency.WEEKLY, "weekly-news"): "reader",
    Choice(Frequency.MONTHLY, "weekly-news"): "reader, less",
    Choice(Pause.TWO_WEEKS, "weekly-news", make.NOW + 9 * DAY): "reader",
    Choice(Pause.THREE_MONTHS, "weekly-news", make.NOW + 90 * DAY): "reader, less",
    Choice(Pause.ONE_MONTH, None, make.NOW + 9 * DAY): "reader, never",
}


@pytest.mark.parametrize("choice", CHANGES, ids=lambda choice: choice.what)
def test_a_choice_changes_those_whom_its_preview_counts(session: Session, choice: Choice) -> None:
    emails = {name: f"{name.replace(' ', '-')}@example.org" for name in PEOPLE}
    for name, email in emails.items():
        topic = "offers" if name == "never" else "weekly-news"
        status = Status.UNCONFIRMED if name == "unconfirmed" else Status.SUBSCRIBED
        make.subscriber(session, email, topic, status=status)
    make.unsubscribe(session, emails["left"])
    make.unsubscribe(session, emails["left all"], None)
    make.reduce(session, Frequency.WEEKLY, emails["less"])
    make.reduce(session, Pause.TWO_WEEKS, emails["less"])
    known = {each.slug: each for each in topics.list_topics(session)}
    found = {name: make.found(session, email) for name, email in emails.items()}
    counted = [name for name, each in found.items() if choice.would_change(each, known)]
    assert ", ".join(counted) == CHANGES[choice]
    changes = [MakeChoice(each.subscriber_id, choice, CONSOLE) for each in found.values()]
    rows = apply(session, changes, make.NOW)
    assert [name for name, (first, _) in zip(found, rows, strict=True) if first] == counted
    assert set(apply(session, changes, make.NOW)) == {(0, 0)}
