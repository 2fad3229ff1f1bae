"""Changes on a subscriber's behalf: less is always applied, and nothing stopped is undone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from preference_center.core import erasure, ledger_pages, on_behalf, topics, verification
from preference_center.core.api_vocab import Outcome
from preference_center.core.change import ADDRESS, ALL, Target
from preference_center.core.errors import (
    StaleVersionError,
    UnknownSubscriberError,
    UnknownTopicError,
)
from preference_center.core.on_behalf import SaveOnBehalf, Statement, StopOnBehalf, TopicWish
from preference_center.core.vocab import Frequency, Pause, Scope, Source, Status
from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support import make

ADA = "ada@example.org"
STATEMENT = Statement("phone", "consent", "Yes, send me the news.")
CONTEXT = STATEMENT.context(Source.API, make.NOW, UTC)
START, STOP = TopicWish(stop=False), TopicWish(stop=True)
ENGINES = ("sqlite", "postgresql", "distributed")


def save(
    session: Session, wish: TopicWish = START, slug: str = "weekly-news", **changes: Any
) -> Outcome:
    """Save what Ada wants of one topic."""
    fields: dict[str, Any] = {"smtp": True, "email": ADA, **changes}
    change = SaveOnBehalf(make.id_of(), {slug: wish}, STATEMENT, CONTEXT, **fields)
    return on_behalf.make(session, change, make.NOW)[slug]


def stop(session: Session, target: Target, **changes: Any) -> bool:
    change = StopOnBehalf(make.id_of(), target, CONTEXT, **changes)
    return on_behalf.make(session, change, make.NOW).changed


def emailed(session: Session) -> list[tuple[str, str]]:
    return [(each.kind, each.topic) for each in session.query(OutboxRow)]


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_topic_of_which_nothing_was_stopped_starts_with_its_evidence(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session)
        wish = TopicWish(stop=False, frequency=Frequency.WEEKLY, pause=Pause.TWO_WEEKS)
        assert save(session, wish, locale="de") is Outcome.CHANGED
    with database.transaction() as session:
        ada = make.found(session)
        held = ada.subscriptions["weekly-news"]
        assert (ada.email, ada.locale) == (ADA, "de")
        assert (held.status, held.frequency, held.source) == ("subscribed", "weekly", "api")
        assert held.paused_until == datetime(2026, 12, 6, tzinfo=UTC)
        assert (held.basis, held.consent_source, held.consent_at) == ("consent", "phone", make.NOW)
        (row,) = ledger_pages.page(session, make.id_of(), 0, 9)
        assert row.wording == "Yes, send me the news."
        assert row.entry.stated_source == "channel: phone; grounds: consent"
        assert row.entry.source is Source.API
        assert list(verification.verify(session)) == [None]
        assert emailed(session) == []


def test_an_unconfirmed_topic_starts_and_keeps_its_cap(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, status=Status.UNCONFIRMED, frequency=Frequency.MONTHLY)
        assert save(session) is Outcome.CHANGED
        held = make.found(session).subscriptions["weekly-news"]
        assert (held.status, held.frequency) == ("subscribed", "monthly")


def test_a_topic_that_is_received_stays_as_it_is(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, basis="contract")
        assert save(session) is Outcome.UNCHANGED
        assert make.found(session).subscriptions["weekly-news"].basis == "contract"


def test_consent_to_an_opt_out_topic_is_recorded(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session, policy="opt_out")
        assert save(session) is Outcome.CHANGED
        assert make.found(session).subscriptions["weekly-news"].basis == "consent"


@pytest.mark.parametrize(
    "stopped",
    [
        {"slug": "weekly-news"},
        {"slug": None},
        {"slug": "weekly-news", "source": Source.API},
        {"slug": None, "scope": Scope.ADDRESS, "source": Source.BOUNCE},
    ],
    ids=["topic", "all", "by-api", "bounced"],
)
def test_a_topic_that_was_stopped_needs_an_emailed_link(
    database: Database, stopped: dict[str, Any]
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, **stopped)
        before = make.found(session)
        assert save(session) is Outcome.CONFIRMATION_SENT
        assert make.found(session) == before
        assert emailed(session) == [("opt_in_request", "weekly-news")]


def test_a_test_key_causes_no_confirmation(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
        assert save(session, sends=False) is Outcome.CONFIRMATION_SENT
        assert emailed(session) == []


@pytest.mark.parametrize(
    "stopped", [{"slug": "offers"}, {"slug": None}], ids=["another-topic", "all"]
)
def test_nothing_starts_after_a_complaint(database: Database, stopped: dict[str, Any]) -> None:
    with database.transaction() as session:
        make.topic(session)
        make.subscriber(session, ADA, "offers")
        make.unsubscribe(session, source=Source.COMPLAINT, **stopped)
        before = make.found(session)
        assert save(session) is Outcome.COMPLAINED
        assert make.found(session) == before
        assert emailed(session) == []


def test_a_stopped_topic_cannot_start_where_no_email_can_be_sent(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
        assert save(session, smtp=False) is Outcome.NO_EMAIL
        make.unsubscribe(session, slug=None, scope=Scope.ADDRESS, source=Source.API)
        assert save(session) is Outcome.NO_EMAIL


def test_nothing_starts_and_nothing_is_stored_after_an_erasure(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        erasure.erase(session, [make.id_of()], Source.API, make.NOW)
        assert save(session, locale="de") is Outcome.NO_EMAIL
        assert save(session, STOP) is Outcome.UNCHANGED
        assert stop(session, ADDRESS, email=ADA)
        ada = make.found(session)
        assert (ada.email, ada.locale, ada.subscriptions) == (None, None, {})
        row = ledger_pages.page(session, make.id_of(), 0, 9)[-1]
        assert (row.wording, row.entry.stated_source) == (None, "")


def test_nothing_starts_after_an_imported_erasure_without_a_suppression(
    database: Database,
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        with make.drafted(session) as draft:
            erasure.forget(draft, CONTEXT)
        assert make.found(session).suppressions == {}
        assert save(session) is Outcome.NO_EMAIL


def test_an_archived_topic_does_not_start(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session, ADA, "offers")
        topics.archive(make.topic(session), make.NOW)
        assert save(session) is Outcome.ARCHIVED
        assert save(session, STOP) is Outcome.CHANGED


@pytest.mark.parametrize("by", [Source.PAGE, Source.API])
def test_only_a_cap_that_the_subscriber_did_not_choose_is_raised(
    database: Database, by: Source
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Frequency.MONTHLY, source=by)
        wish = TopicWish(stop=False, frequency=Frequency.WEEKLY)
        own = by is Source.PAGE
        assert save(session, wish) is (Outcome.CHOSE_LESS if own else Outcome.CHANGED)
        held = make.found(session).subscriptions["weekly-news"]
        assert held.frequency == ("monthly" if own else "weekly")


@pytest.mark.parametrize("by", [Source.PAGE, Source.API])
def test_only_a_pause_that_the_subscriber_did_not_choose_is_ended(
    database: Database, by: Source
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Pause.ONE_MONTH, source=by)
        own = by is Source.PAGE
        wish = TopicWish(stop=False, resume=True)
        assert save(session, wish) is (Outcome.CHOSE_LESS if own else Outcome.CHANGED)
        paused = make.found(session).subscriptions["weekly-news"].paused_until is not None
        assert paused is own


def test_less_is_applied_beside_more_that_is_refused(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.reduce(session, Frequency.MONTHLY)
        wish = TopicWish(stop=False, frequency=Frequency.EVERY, pause=Pause.TWO_WEEKS)
        assert save(session, wish) is Outcome.CHOSE_LESS
        held = make.found(session).subscriptions["weekly-news"]
        assert held.frequency == "monthly"
        assert held.paused_until is not None


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
@pytest.mark.parametrize("target", [Target.of("weekly-news"), ALL, ADDRESS], ids=str)
def test_a_stop_of_an_unknown_id_is_applied(database: Database, target: Target) -> None:
    with database.transaction() as session:
        make.topic(session)
    with database.transaction() as session:
        assert stop(session, target)
        assert not stop(session, target)
        (row,) = ledger_pages.page(session, make.id_of(), 0, 9)
        assert row.entry.is_about(target)
        assert row.entry.source is Source.API
        assert row.entry.stated_source == "channel: phone; grounds: consent"
        assert make.found(session).email is None


def test_a_stop_records_an_address_and_sends_nothing(database: Database) -> None:
    with database.transaction() as session:
        assert stop(session, ALL, email=ADA)
        assert make.found(session).email == ADA
        assert emailed(session) == []


def test_a_topic_of_an_unknown_id_does_not_start(database: Database) -> None:
    with database.transaction() as session:
        make.topic(session)
        with pytest.raises(UnknownSubscriberError):
            save(session, email="")


def test_an_unknown_topic_is_refused_and_not_created(database: Database) -> None:
    with database.transaction() as session:
        for attempt in (lambda: save(session), lambda: stop(session, Target.of("weekly-news"))):
            with pytest.raises(UnknownTopicError):
                attempt()
        assert topics.slugs(session) == set()


def test_a_change_of_another_version_is_refused(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        with pytest.raises(StaleVersionError):
            save(session, STOP, versions={"2"})
        assert save(session, STOP, versions={"1", "7"}) is Outcome.CHANGED


def test_an_address_and_a_language_on_record_stay(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.set_details(session, locale="fr")
        save(session, email="ADA@example.org", locale="de")
        ada = make.found(session)
        assert (ada.email, ada.locale) == (ADA, "fr")


def test_a_later_choice_of_the_subscriber_is_newer(database: Database) -> None:
    """The emailed link starts the topic, so the request lost nothing."""
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session)
        save(session)
        assert make.start_topic(session, at=make.NOW + timedelta(hours=1)).changed
