"""Sign-ups: who can come back by the link of a sign-up, and what it starts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from preference_center.core import (
    audience,
    erasure,
    ledger,
    preferences,
    sign_ups,
    subscribers,
    topics,
    verification,
)
from preference_center.core.apply import apply_one
from preference_center.core.change import ADDRESS, ALL, Target
from preference_center.core.consent import Unsubscribe
from preference_center.core.lifting import LiftOwnStop
from preference_center.core.vocab import (
    ConfirmState,
    Event,
    OutboxKind,
    Scope,
    Source,
    TopicVisibility,
)
from preference_center.store import Database
from preference_center.store.tables import (
    LedgerDetail,
    OutboxRow,
    SignUpRow,
    SubscriberRow,
    Wording,
)
from tests.support import make
from tests.support.signing_up import FORM_URL, press, request

ADA = "ada@example.org"
HOUR = timedelta(hours=1)
BEFORE = make.NOW - 24 * HOUR
Step = Callable[[Session], object]


def unsubscribe(slug: str | None = "weekly-news", **changes: Any) -> Step:
    return lambda session: make.unsubscribe(session, ADA, slug, at=BEFORE, **changes)


def erase(session: Session) -> None:
    erasure.erase(session, [make.id_of(ADA)], Source.CLI, BEFORE)


def nothing(_: Session) -> None:
    """Leave everything as it is."""


STOPS: dict[str, Step] = {
    "none": nothing,
    "left": unsubscribe(),
    "left all": unsubscribe(None),
    "complained": unsubscribe(None, source="complaint"),
    "complained of a topic": unsubscribe(source="complaint"),
    "bounced": unsubscribe(None, scope=Scope.ADDRESS, source="bounce"),
    "erased": erase,
}
ADDRESS_STOPS: dict[str, Step] = {
    "by the sender": unsubscribe(None, scope=Scope.ADDRESS, source="api"),
    "by an import": unsubscribe(None, scope=Scope.ADDRESS, source="import"),
    "by the person": unsubscribe(None, scope=Scope.ADDRESS),
}


@pytest.fixture
def catalogue(database: Database) -> Database:
    """Return a database with topics, one of which everyone gets who has not left it."""
    with database.transaction() as session:
        for slug in ("weekly-news", "offers"):
            make.topic(session, slug)
        make.topic(session, "notices", policy="opt_out")
    return database


def received(session: Session, email: str = ADA) -> set[str]:
    """Return what an address gets, by the page and by the audience check."""
    found, known = subscribers.find(session, make.id_of(email)), topics.list_topics(session)
    by_page = {each.slug for each in known if preferences.receives(found, each)}
    people = {make.id_of(email): email}
    by_check = set()
    for each in (topic for topic in known if topic.archived_at is None):
        (verdict,) = audience.check(session, each, "x", people, make.NOW + 999 * HOUR).values()
        by_check |= {each.slug} if verdict.decision == "allow" else set()
    assert by_page == by_check
    return by_page


def state(session: Session, sign_up: sign_ups.SignUp) -> ConfirmState:
    found = subscribers.find(session, sign_up.subscriber_id)
    return sign_ups.read_state(session, sign_up, found, topics.list_topics(session))


def test_a_request_creates_no_subscriber(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        request(session, wording="Email me what I have chosen.", locale="de")
    with catalogue.reading() as session:
        assert session.scalars(select(SubscriberRow)).all() == []
        (row,) = session.scalars(select(SignUpRow))
        (wording,) = session.scalars(select(Wording))
        assert (row.email, row.topics, row.form_url) == (ADA, "weekly-news", FORM_URL)
        assert (row.seq, row.locale, row.wording) == (0, "de", wording.digest)
        assert [each.kind for each in session.scalars(select(OutboxRow))] == [OutboxKind.SIGN_UP]


def test_a_press_starts_only_the_named_topics_of_an_unknown_person(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        sign_up = request(session, ADA, "weekly-news", locale="de")
        assert received(session) == {"notices"}  # Silence means yes.
    with catalogue.transaction() as session:
        assert press(session, sign_up, make.NOW + HOUR).changed
    with catalogue.transaction() as session:
        ada = make.found(session)
        assert (ada.email, ada.locale) == (ADA, "de")
        assert received(session) == {"weekly-news"}
        held = ada.subscriptions["weekly-news"]
        assert (held.basis, held.consent_at) == ("consent", make.NOW + HOUR)
        assert held.consent_source == f"sign-up at {FORM_URL}"
        rows = ledger.load(session, ada.subscriber_id, 1)
        assert rows[-1].stated_source == f"asked for at {make.NOW}"
        assert [each for each in verification.verify(session) if each] == []


@pytest.mark.parametrize("stop", STOPS)
def test_a_newer_sign_up_lifts_a_stop(catalogue: Database, stop: str) -> None:
    with catalogue.transaction() as session:
        make.subscriber(session, ADA, "weekly-news", "offers")
        STOPS[stop](session)
        had = received(session)
        sign_up = request(session, ADA, "weekly-news")
        expected = ConfirmState.RECEIVED if stop == "none" else ConfirmState.READY
        assert state(session, sign_up) is expected
    with catalogue.transaction() as session:
        assert press(session, sign_up).changed is (stop != "none")
    with catalogue.transaction() as session:
        wanted = had if stop == "none" else (had & {"offers"}) | {"weekly-news"}
        assert received(session) == wanted
        assert make.found(session).email == ADA
        assert make.found(session).erased_at is None
        assert [each for each in verification.verify(session) if each] == []


@pytest.mark.parametrize("stop", ADDRESS_STOPS)
def test_a_stop_of_the_address_is_never_lifted(catalogue: Database, stop: str) -> None:
    with catalogue.transaction() as session:
        make.subscriber(session)
        ADDRESS_STOPS[stop](session)
        sign_up = request(session, ADA, "offers")
        assert state(session, sign_up) is ConfirmState.UNREACHABLE
        assert not press(session, sign_up).changed
        assert received(session) == set()


@pytest.mark.parametrize("stop", ADDRESS_STOPS)
def test_a_stop_of_the_address_outweighs_a_bounce_of_an_erased_person(
    catalogue: Database, stop: str
) -> None:
    with catalogue.transaction() as session:
        make.subscriber(session)
        STOPS["bounced"](session)
        erase(session)
        ADDRESS_STOPS[stop](session)
        sign_up = request(session)
        assert state(session, sign_up) is ConfirmState.UNREACHABLE
        assert not press(session, sign_up).changed
        assert [each for each in verification.verify(session) if each] == []


NEWER: dict[str, ConfirmState] = {
    "left": ConfirmState.UNSUBSCRIBED,
    "left all": ConfirmState.UNSUBSCRIBED,
    "complained": ConfirmState.COMPLAINED,
    "complained of a topic": ConfirmState.COMPLAINED,
    "bounced": ConfirmState.UNSUBSCRIBED,
}


@pytest.mark.parametrize("stop", NEWER)
@pytest.mark.parametrize("known", [True, False])
def test_a_stop_after_the_request_wins(catalogue: Database, stop: str, known: bool) -> None:
    with catalogue.transaction() as session:
        if known:
            make.subscriber(session, ADA, "offers")
        sign_up = request(session)
        STOPS[stop](session)  # It was made before the request, and recorded after it.
        assert state(session, sign_up) is NEWER[stop]
        assert not press(session, sign_up).changed
        assert "weekly-news" not in received(session)


def test_an_erasure_deletes_what_was_asked_for(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        make.subscriber(session)
        sign_up = request(session, ADA, "offers")
        erase(session)
        assert sign_ups.find(session, sign_up.subscriber_id, sign_up.id, make.NOW) is None
        assert state(session, sign_up) is ConfirmState.UNSUBSCRIBED
        assert not press(session, sign_up).changed


def test_a_repeated_unsubscribe_counts_as_a_stop(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        make.subscriber(session)
        unsubscribe(None)(session)
        sign_up = request(session)
        make.unsubscribe(session, ADA, None, at=make.NOW + HOUR)  # It adds no ledger row.
        assert state(session, sign_up) is ConfirmState.UNSUBSCRIBED
        assert not press(session, sign_up).changed


@pytest.mark.parametrize(
    ("stop", "source", "target", "expected"),
    [
        ("complained", Source.COMPLAINT, ALL, ConfirmState.COMPLAINED),
        ("bounced", Source.BOUNCE, ADDRESS, ConfirmState.UNSUBSCRIBED),
    ],
)
@pytest.mark.parametrize("is_new", [True, False])
def test_a_further_report_counts_as_a_stop_and_one_that_comes_again_does_not(
    catalogue: Database,
    stop: str,
    source: Source,
    target: Target,
    expected: ConfirmState,
    is_new: bool,
) -> None:
    with catalogue.transaction() as session:
        make.subscriber(session)
        STOPS[stop](session)
        sign_up = request(session)
        later = make.NOW + HOUR
        context = make.context(source, later if is_new else BEFORE, recorded_at=later)
        apply_one(session, Unsubscribe(make.id_of(ADA), target, context), later)
        assert state(session, sign_up) is (expected if is_new else ConfirmState.READY)
        assert press(session, sign_up).changed is not is_new


def test_a_stop_of_another_topic_does_not_count(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        make.subscriber(session)
        sign_up = request(session, ADA, "offers")
        make.unsubscribe(session, at=make.NOW + HOUR)
        assert press(session, sign_up).changed
        assert received(session) == {"offers"}


def test_an_undone_return_does_not_come_back_by_the_same_or_an_older_link(
    catalogue: Database,
) -> None:
    with catalogue.transaction() as session:
        make.subscriber(session)
        unsubscribe(None)(session)
        older, newer = (request(session, at=make.NOW + each * HOUR) for each in (0, 1))
        assert (older.id != newer.id, older.seq == newer.seq) == (True, True)
        result = press(session, newer)
        make.undo(session, result.first_seq, result.last_seq)
        assert received(session) == set()
        assert make.found(session).explicit_from is None
        for each in (older, newer):
            assert not press(session, each).changed


def test_a_link_works_once(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        sign_up = request(session)
        assert press(session, sign_up).changed
        used = sign_ups.find(session, sign_up.subscriber_id, sign_up.id, make.NOW)
        assert used is not None
        assert used.confirmed_at == make.NOW
        assert state(session, used) is ConfirmState.RECEIVED
        make.unsubscribe(session, at=make.NOW + HOUR)
        assert not press(session, sign_up, make.NOW + HOUR).changed
        assert received(session) == set()


def test_a_link_works_for_seven_days(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        sign_up = request(session)
        late = make.NOW + timedelta(days=7)
        assert not press(session, sign_up, late).changed
        assert press(session, sign_up, late - timedelta(seconds=1)).changed


def test_after_a_press_silence_means_no_on_later_topics_too(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        press(session, request(session))
        make.topic(session, "later", policy="opt_out")
        make.subscriber(session, "bob@example.org", "offers")
    with catalogue.transaction() as session:
        assert received(session) == {"weekly-news"}
        assert received(session, "bob@example.org") == {"offers", "notices", "later"}


def test_a_named_topic_that_silence_gave_is_chosen(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        assert press(session, request(session, ADA, "notices")).changed
        assert received(session) == {"notices"}


def test_undoing_a_first_sign_up_restores_silence(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        result = press(session, request(session))
        make.undo(session, result.first_seq, result.last_seq)
        assert received(session) == {"notices"}


def test_archived_and_deleted_topics_are_not_started(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        sign_up = request(session, ADA, "weekly-news", "offers", "gone")
        topics.archive(topics.get(session, "offers"), make.NOW)
        assert press(session, sign_up).changed
        assert received(session) == {"weekly-news"}


def test_only_public_topics_are_offered(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        make.topic(session, "hidden", visibility=TopicVisibility.HIDDEN)
        topics.archive(topics.get(session, "offers"), make.NOW)
        found = sign_ups.offered(topics.list_topics(session))
    assert [each.slug for each in found] == ["notices", "weekly-news"]


def test_two_pressed_at_once_start_a_topic_once(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        sign_up = request(session)
        context = make.context(wording="Yes")
        change = sign_ups.ConfirmSignUp(sign_up.subscriber_id, sign_up, context)
        results = [apply_one(session, change, make.NOW) for _ in range(2)]
        assert [each.changed for each in results] == [True, False]


def test_details_may_be_missing_up_to_the_last_erasure_only(catalogue: Database) -> None:
    with catalogue.transaction() as session:
        make.subscriber(session)
        erase(session)
        press(session, request(session))
    with catalogue.transaction() as session:
        rows = {each.seq: each.event for each in ledger.load(session, make.id_of(ADA), 1)}
        erased = max(seq for seq, event in rows.items() if event is Event.ERASED)
        assert erased < max(rows)
        assert [each for each in verification.verify(session) if each] == []
        session.execute(delete(LedgerDetail).where(LedgerDetail.seq == erased + 1))
        problems = [each for each in verification.verify(session) if each]
    assert problems == [f"{make.id_of(ADA)}: the details of row {erased + 1} are missing"]


def test_a_lifted_stop_starts_nothing_but_lets_the_person_come_back(catalogue: Database) -> None:
    lifting = LiftOwnStop(make.id_of(ADA), make.context(Source.CLI, stated_source="phone"))
    with catalogue.transaction() as session:
        make.subscriber(session)
        ADDRESS_STOPS["by the person"](session)
        assert apply_one(session, lifting, make.NOW)
        assert received(session) == set()
        assert not apply_one(session, lifting, make.NOW)
        assert press(session, request(session, at=make.NOW + HOUR)).changed
        assert received(session) == {"weekly-news"}


@pytest.mark.parametrize("stop", ["by the sender", "by an import"])
def test_only_the_persons_own_stop_is_lifted(catalogue: Database, stop: str) -> None:
    lifting = LiftOwnStop(make.id_of(ADA), make.context(Source.CLI))
    with catalogue.transaction() as session:
        assert not apply_one(session, lifting, make.NOW)
        ADDRESS_STOPS[stop](session)
        assert not apply_one(session, lifting, make.NOW)
        assert Scope.ADDRESS in make.found(session).suppressions
