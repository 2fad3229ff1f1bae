"""A form of preferences is saved in one change, with one receipt and one email."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import preferences, receipts, subscriptions, topics
from preference_center.core.apply import apply_one
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.preferences_form import SaveForm, SaveResult, TopicUpdate
from preference_center.core.vocab import Frequency, OutboxKind, Pause, ReceiptState
from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support import make

SLUGS = ("weekly-news", "offers", "town-letter")
FREQUENCIES = st.sampled_from(list(Frequency))
PAUSES = st.none() | st.sampled_from(list(Pause))
# What is received of a topic, if it is: a frequency and a pause. What the form asks for.
RECEIVED = st.none() | st.tuples(FREQUENCIES, PAUSES)
ASKED = st.tuples(st.none() | FREQUENCIES, st.booleans())
Received = tuple[Frequency, Pause | None] | None
Asked = tuple[Frequency | None, bool]


def _subscribe(session: Session, email: str, received: dict[str, Received]) -> None:
    known = {topic.slug for topic in topics.list_topics(session)}
    for slug in {*SLUGS} - known:
        make.topic(session, slug)
    # A confirmed subscription to another topic: the address is on record.
    make.subscriber(session, email, "letter")
    for slug, each in received.items():
        if each is not None:
            frequency, pause = each
            until = subscriptions.paused_until(pause, make.NOW, UTC) if pause else None
            make.subscriber(session, email, slug, frequency=frequency, paused_until=until)


def _read(session: Session, email: str) -> SubscriberPreferences:
    known = topics.list_topics(session)
    return preferences.read(make.found(session, email), known, "en", make.NOW)


def _save(
    session: Session, email: str, updates: list[TopicUpdate], pause: Pause | None = None
) -> SaveResult:
    context = make.context(notice_delay=make.NOW - make.NOW)
    form = SaveForm(make.id_of(email), updates, context, None, smtp=True, pause=pause)
    return apply_one(session, form, make.NOW)


def _paused_until(before: datetime | None, pause: Pause | None, *, resume: bool) -> datetime | None:
    """Return until when a topic is paused after a form: a break never shortens a pause."""
    ends = [None if resume else before]
    ends.append(subscriptions.paused_until(pause, make.NOW, UTC) if pause else None)
    return max((end for end in ends if end is not None), default=None)


@pytest.mark.integration
@given(st.tuples(*[RECEIVED] * 3), st.tuples(*[ASKED] * 3), PAUSES)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_choice_of_a_form_is_saved(
    database: Database, received: Any, asked: Any, pause: Pause | None
) -> None:
    email = f"{uuid4().hex}@example.org"
    with database.transaction() as session:
        _subscribe(session, email, dict(zip(SLUGS, received, strict=True)))
        before = _read(session, email)
        updates = [
            TopicUpdate(slug, before.topics[slug].state, wants, resume)
            for slug, (wants, resume) in zip(SLUGS, asked, strict=True)
        ]
        result = _save(session, email, updates, pause)
    with database.reading() as session:
        after = _read(session, email)
    assert result.refused == {}
    for update in updates:
        was, now = before.topics[update.slug], after.topics[update.slug]
        starts = update.wants is not None and not was.received
        assert (update.slug in result.requested) == starts
        assert now.state == (update.wants if was.received else None)
        if now.received:
            until = _paused_until(was.paused_until, pause, resume=update.resume)
            assert now.paused_until == until
    assert pause is None or all(topic.paused_until for topic in after.received)
    _check_receipt_email_and_undo(database, email, result, before)


def _check_receipt_email_and_undo(
    database: Database, email: str, result: SaveResult, before: SubscriberPreferences
) -> None:
    """Check that one email confirms everything that changed, and that one undo restores it."""
    first, last = result.result.first_seq, result.result.last_seq
    with database.transaction() as session:
        person = make.found(session, email)
        shown = receipts.read(session, person, first, last, "en", make.NOW, UTC)
        statement = select(OutboxRow.first_seq, OutboxRow.last_seq).where(
            OutboxRow.subscriber_id == person.subscriber_id,
            OutboxRow.kind == OutboxKind.CHANGE_NOTICE,
        )
        emails = [tuple(row) for row in session.execute(statement)]
        assert emails == ([(first, last)] if result.result.changed else [])
        if shown is not None:
            assert shown.state is ReceiptState.ACTIVE
            make.undo(session, first, last, email)
            assert _read(session, email).topics == before.topics


def test_resuming_and_a_break_in_one_form_end_the_longer_pause(database: Database) -> None:
    with database.transaction() as session:
        _subscribe(session, "ada@example.org", {"offers": (Frequency.EVERY, Pause.THREE_MONTHS)})
        update = TopicUpdate("offers", Frequency.EVERY, Frequency.EVERY, resume=True)
        _save(session, "ada@example.org", [update], Pause.TWO_WEEKS)
        until = _read(session, "ada@example.org").topics["offers"].paused_until
    assert until == subscriptions.paused_until(Pause.TWO_WEEKS, make.NOW, UTC)


def test_the_first_end_of_several_pauses_is_known_if_all_are_paused(database: Database) -> None:
    with database.transaction() as session:
        _subscribe(session, "ada@example.org", {"offers": (Frequency.EVERY, Pause.THREE_MONTHS)})
        assert _read(session, "ada@example.org").paused_until is None
        make.reduce(session, Pause.TWO_WEEKS, slug="letter")
        first = subscriptions.paused_until(Pause.TWO_WEEKS, make.NOW, UTC)
        assert _read(session, "ada@example.org").paused_until == first
        for slug in ("offers", "letter"):
            make.unsubscribe(session, slug=slug)
        assert _read(session, "ada@example.org").paused_until is None
