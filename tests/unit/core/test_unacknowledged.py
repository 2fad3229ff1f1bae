"""Which consumers an erasure waits for, what is held for them, and when the wait ends."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import (
    api_keys,
    consumers,
    erasure,
    feed,
    missed_erasures,
    subscribers,
    unacknowledged,
    verification,
    webhook_deliveries,
    webhook_results,
    webhooks,
)
from preference_center.core.api_vocab import ApiKeyKind, ApiScope, EventName, WebhookState
from preference_center.core.apply import apply
from preference_center.core.consumers import Progress
from preference_center.core.unacknowledged import HELD_FOR, Held, Unacknowledged
from preference_center.core.vocab import KeyKind, Scope, Source
from preference_center.core.webhook_results import RETRY_AFTER, Result
from preference_center.data.import_records import Rules
from preference_center.data.imports import Import
from preference_center.data.replay import Replay
from preference_center.data.tabular import read_csv, read_json_lines
from preference_center.store import Database
from preference_center.store.tables import Base, EventRow, UnacknowledgedErasure
from tests.support import citus, make

ADA, BOB = "ada@example.org", "bob@example.org"
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
HOOK = "https://hooks.example.org/?token=7"
ERASING = EventName.SUBSCRIBER_ERASING


@pytest.fixture(autouse=True)
def people(database: Database) -> None:
    with database.transaction() as session:
        for email in (ADA, BOB):
            make.subscriber(session, email)
        feed.number(session, make.NOW)


def add_webhook(
    session: Session, *names: EventName, state: WebhookState = WebhookState.ACTIVE
) -> UUID:
    webhook, _ = webhooks.add(session, HOOK, names, make.NOW)
    webhooks.lock(session, webhook.id).state = state
    return webhook.id


def add_reader(session: Session, *, reads: bool = True, **fields: Any) -> UUID:
    """Add a key; it has read the feed up to now."""
    key, _ = api_keys.create(session, "crm", ApiKeyKind.LIVE, [ApiScope.EVENTS], make.NOW, **fields)
    if reads:
        read_up_to(session, key.id, feed.last_position(session))
    return key.id


def read_up_to(session: Session, key: UUID, acknowledged: int, fetched: int | None = None) -> None:
    progress = Progress(acknowledged, acknowledged if fetched is None else fetched)
    consumers.note_progress(session, key, progress, make.NOW)


def erase(session: Session, *emails: str) -> None:
    """Erase people, and give the events their positions."""
    ids = [make.id_of(each) for each in emails or (ADA,)]
    assert erasure.erase(session, ids, Source.CLI, make.NOW) == len(ids)
    feed.number(session, make.NOW)


def deliver(session: Session, webhook: UUID, status: int = 200, tries: int = 1) -> None:
    """Let a webhook answer everything that it is sent."""
    now = make.NOW
    webhook_deliveries.spread(session, webhook, now)
    for _ in range(tries):
        while leased := webhook_deliveries.lease(session, webhook, now):
            webhook_results.settle(session, leased, Result(status, "answered"), now)
        now += 2 * max(RETRY_AFTER)


def held(session: Session, email: str = ADA, at: timedelta = timedelta(0)) -> Held | None:
    return unacknowledged.find(session, make.id_of(email), make.NOW + at)


def waiting(session: Session, at: timedelta = timedelta(0)) -> list[Unacknowledged]:
    return unacknowledged.waiting(session, make.NOW + at)


def waited_for(session: Session) -> list[str]:
    """Return the kinds of the consumers that the one erasure waits for."""
    (one,) = waiting(session)
    return [name.split()[0] for name in one.by]


def all_values(session: Session) -> set[str]:
    tables = Base.metadata.sorted_tables
    return {
        str(value) for table in tables for row in session.execute(select(table)) for value in row
    }


# Whom it waits for.


@pytest.mark.parametrize(
    "add",
    [
        add_webhook,
        lambda session: add_webhook(session, ERASING, EventName.ALL_STOPPED),
        lambda session: add_webhook(session, state=WebhookState.PAUSED),
        lambda session: add_webhook(session, state=WebhookState.DISABLED),
        add_reader,
        lambda session: add_reader(session, expires_at=make.NOW + DAY),
    ],
    ids=["webhook", "of erasures", "paused", "disabled", "reader", "expires later"],
)
def test_an_erasure_waits_for_each_consumer(
    database: Database, add: Callable[[Session], UUID]
) -> None:
    with database.transaction() as session:
        add(session)
        erase(session)
        assert held(session) == Held(ADA, make.NOW + HELD_FOR)
        assert len(waited_for(session)) == 1


@pytest.mark.parametrize(
    "add",
    [
        lambda session: None,
        lambda session: add_webhook(session, EventName.ALL_STOPPED),
        lambda session: add_reader(session, reads=False),
        lambda session: add_reader(session, expires_at=make.NOW),
        lambda session: api_keys.revoke(session, str(add_reader(session)), make.NOW),
    ],
    ids=["none", "webhook of others", "unused key", "expired key", "revoked key"],
)
def test_without_a_consumer_nothing_is_held(
    database: Database, add: Callable[[Session], object]
) -> None:
    with database.transaction() as session:
        add(session)
        erase(session)
        assert (held(session), waiting(session)) == (None, [])
        assert session.query(UnacknowledgedErasure).count() == 0


def test_the_address_is_stored_encrypted_only(database: Database) -> None:
    with database.transaction() as session:
        add_webhook(session)
        erase(session)
    with database.reading() as session:
        assert not [value for value in all_values(session) if ADA in value]
        assert subscribers.find(session, make.id_of(ADA)).email is None  # type: ignore[union-attr]
        assert list(verification.verify(session)) == [None, None]


def test_an_unknown_address_is_waited_for_too(database: Database) -> None:
    with database.transaction() as session:
        add_webhook(session)
        erase(session, "eve@example.org")
        assert held(session, "eve@example.org") == Held(None, make.NOW + HELD_FOR)
        assert waited_for(session) == ["webhook"]


def test_an_import_and_a_replay_hold_nothing(database: Database) -> None:
    with database.transaction() as session:
        add_webhook(session)
    rows = f"email,kind,since,source,erased_at\n{ADA},all,2026-11-01,page,2026-11-01\n".encode()
    rules = Rules(make.IDENTITY_KEY)
    counts = Import(database, rules, lambda: make.NOW).run(read_csv(io.BytesIO(rows)), print)
    assert counts["erased"] == 1
    at = make.NOW.isoformat()
    entry = {"seq": "9", "scope": "all", "source": "cli", "occurred_at": at, "recorded_at": at}
    bob = make.id_of(BOB)
    line = json.dumps({**entry, "event": "erased", "id": str(bob), "hash": bob.hex * 2})
    file = io.BytesIO(line.encode())
    assert Replay(database, lambda: make.NOW).run(read_json_lines(file), print)["erased"] == 1
    with database.reading() as session:
        assert session.query(UnacknowledgedErasure).count() == 0


# What acknowledges it.


def test_a_webhook_acknowledges_by_accepting_the_event(database: Database) -> None:
    with database.transaction() as session:
        webhook = add_webhook(session, ERASING)
        erase(session)
        webhook_deliveries.spread(session, webhook, make.NOW)
        assert waiting(session)[0].by == (f"webhook {webhook} (hooks.example.org)",)
        deliver(session, webhook, 500)
        assert waited_for(session) == ["webhook"]
        deliver(session, webhook, tries=2)
        assert waited_for(session) == []


def test_each_erasure_is_acknowledged_on_its_own(database: Database) -> None:
    with database.transaction() as session:
        webhook = add_webhook(session, ERASING)
        erase(session, ADA, BOB)
        webhook_deliveries.spread(session, webhook, make.NOW)
        leased = webhook_deliveries.lease(session, webhook, make.NOW)
        assert leased is not None
        webhook_results.settle(session, leased, Result(200, ""), make.NOW)
        found = {each.key[0]: len(each.by) for each in waiting(session)}
        assert found == {make.id_of(ADA): 1, make.id_of(BOB): 1} | {leased.about: 0}


def test_a_webhook_that_was_paused_acknowledges_after_a_replay(database: Database) -> None:
    with database.transaction() as session:
        webhook = add_webhook(session, ERASING)
        erase(session)
        deliver(session, webhook, 500, tries=len(RETRY_AFTER) + 1)
        row = webhooks.get(session, webhook)
        assert (row.failed + row.waiting, row.state) == (1, WebhookState.PAUSED)
        assert waited_for(session) == ["webhook"]
        webhooks.replay(session, webhook, make.NOW)
        assert waited_for(session) == ["webhook"]
        deliver(session, webhook)
        assert waited_for(session) == []


def test_a_delivery_that_has_failed_for_good_is_no_acknowledgement(database: Database) -> None:
    with database.transaction() as session:
        webhook = add_webhook(session, ERASING)
        erase(session)
        now = make.NOW
        webhook_deliveries.spread(session, webhook, now)
        while leased := webhook_deliveries.lease(session, webhook, now):
            webhook_results.settle(session, leased, Result(400, ""), now)
            webhooks.lock(session, webhook).failing_since = None  # It accepts others.
            now += 2 * max(RETRY_AFTER)
        assert webhooks.get(session, webhook).failed == 1
        assert webhooks.get(session, webhook).acknowledged == feed.last_position(session)
        assert waited_for(session) == ["webhook"]


def test_a_reader_acknowledges_by_going_on(database: Database) -> None:
    with database.transaction() as session:
        key = add_reader(session)
        before = feed.last_position(session)
        erase(session)
        last = feed.last_position(session)
        read_up_to(session, key, before, last)
        assert waited_for(session) == ["API"]
        read_up_to(session, key, last - 1, last)
        assert waited_for(session) == ["API"]
        read_up_to(session, key, last)
        assert waited_for(session) == []


def test_an_event_that_is_not_in_the_feed_is_not_acknowledged(database: Database) -> None:
    with database.transaction() as session:
        key, webhook = add_reader(session), add_webhook(session)
        erasure.erase(session, [make.id_of(ADA)], Source.CLI, make.NOW)
        read_up_to(session, key, 10**6)
        webhooks.lock(session, webhook).position = 10**6
        assert waited_for(session) == ["API", "webhook"]


def test_a_consumer_that_is_gone_is_not_waited_for(database: Database) -> None:
    with database.transaction() as session:
        key, webhook = add_reader(session), add_webhook(session)
        erase(session)
        webhooks.remove(session, webhook)
        assert waited_for(session) == ["API"]
        api_keys.revoke(session, str(key), make.NOW)
        assert waited_for(session) == []


def test_a_webhook_that_was_added_later_is_not_waited_for(database: Database) -> None:
    with database.transaction() as session:
        key = add_reader(session)
        erase(session)
        add_webhook(session)
        read_up_to(session, key, feed.last_position(session))
        assert waited_for(session) == []


# How the wait ends.


def settle(session: Session, at: timedelta = timedelta(0)) -> list[Unacknowledged]:
    now = make.NOW + at
    over = [each for each in unacknowledged.waiting(session, now) if each.is_over(now)]
    return unacknowledged.settle(session, over, now)


def test_an_address_is_deleted_once_all_have_acknowledged(database: Database) -> None:
    with database.transaction() as session:
        key, webhook = add_reader(session), add_webhook(session)
        erase(session)
        deliver(session, webhook)
        assert settle(session) == []
        assert held(session) is not None
        read_up_to(session, key, feed.last_position(session))
        assert len(settle(session)) == 1
        assert held(session) is None
        assert session.query(UnacknowledgedErasure).count() == 0
        assert missed_erasures.read(session) == []


def test_an_address_is_deleted_after_seven_days(database: Database) -> None:
    with database.transaction() as session:
        add_reader(session)
        webhook = add_webhook(session)
        erase(session)
        deliver(session, webhook)
        assert settle(session, HELD_FOR - SECOND) == []
        (one,) = settle(session, HELD_FOR)
        (missed,) = missed_erasures.read(session)
    assert missed == one
    assert [name.split()[0] for name in missed.by] == ["API"]
    assert missed.key[0] == make.id_of(ADA)
    with database.transaction() as session:
        row = session.query(UnacknowledgedErasure).one()
        assert (row.email, row.missed_at) == (None, make.NOW + HELD_FOR)
        assert (waiting(session), settle(session, HELD_FOR)) == ([], [])


def test_an_address_is_not_shown_after_seven_days_whatever_runs(database: Database) -> None:
    with database.transaction() as session:
        add_reader(session)
        erase(session)
        assert held(session, at=HELD_FOR - SECOND) is not None
        assert held(session, at=HELD_FOR) is None


def test_what_was_acknowledged_in_the_meantime_is_settled_once(database: Database) -> None:
    """A worker that was slow settles nothing that another one has settled."""
    with database.transaction() as session:
        add_reader(session)
        erase(session)
    with database.reading() as session:
        slow = waiting(session, HELD_FOR)
    with database.transaction() as session:
        assert settle(session, HELD_FOR)
    with database.transaction() as session:
        acknowledged = [Unacknowledged(each.key, each.erased_at, ()) for each in slow]
        for each in (slow, acknowledged):
            assert unacknowledged.settle(session, each, make.NOW + HELD_FOR + DAY) == []
        assert session.query(UnacknowledgedErasure).one().missed_at == make.NOW + HELD_FOR


@pytest.mark.parametrize("database_url", ["postgresql", "distributed"], indirect=True)
def test_two_workers_settle_each_erasure_once(database: Database) -> None:
    with database.transaction() as session:
        add_reader(session)
        erase(session, ADA, BOB)
    with database.transaction() as one, database.transaction() as other:
        assert [len(settle(session, HELD_FOR)) for session in (one, other)] == [2, 0]
    with database.transaction() as session:
        assert settle(session, HELD_FOR) == []
        assert len(missed_erasures.read(session)) == 2


def test_many_erasures_are_read_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unacknowledged, "BATCH_SIZE", 2)
    people = [f"person-{number}@example.org" for number in range(5)]
    with database.transaction() as session:
        add_reader(session)
        erase(session, *people)
        found, after = [], None
        while batch := unacknowledged.waiting(session, make.NOW, after=after):
            found += batch
            after = batch[-1].key
    assert [each.key[0] for each in found] == sorted(map(make.id_of, people))


# What else happens meanwhile.


def test_a_later_change_of_the_person_changes_nothing_of_it(database: Database) -> None:
    with database.transaction() as session:
        webhook = add_webhook(session, ERASING)
        erase(session)
        before = waiting(session)
        subscribers.upsert_addresses(session, {make.id_of(ADA): ADA}, make.NOW)
        assert make.unsubscribe(session, slug=None, scope=Scope.ADDRESS).changed
        assert erasure.erase(session, [make.id_of(ADA)], Source.API, make.NOW + DAY) == 0
        feed.number(session, make.NOW)
        assert waiting(session) == before
        assert held(session) == Held(ADA, make.NOW + HELD_FOR)
        assert make.found(session).email is None
        deliver(session, webhook)
        assert waited_for(session) == []


def test_a_change_of_the_same_batch_does_not_move_the_event(database: Database) -> None:
    with database.transaction() as session:
        add_webhook(session)
        context = make.context(Source.API)
        changes = [
            erasure.Erase(make.id_of(ADA), context),
            erasure.Erase(make.id_of(ADA), context),
            erasure.Erase(make.id_of(BOB), context),
        ]
        assert apply(session, changes, make.NOW) == [True, False, True]
        rows = session.query(UnacknowledgedErasure).all()
        assert sorted(row.subscriber_id for row in rows) == sorted(map(make.id_of, (ADA, BOB)))
        for row in rows:
            assert session.get_one(EventRow, (row.subscriber_id, row.seq)).name is ERASING


@pytest.mark.parametrize("with_consumer", [True, False])
def test_the_number_of_statements_does_not_depend_on_the_number_of_erasures(
    database: Database, with_consumer: bool
) -> None:
    counts = []
    with database.transaction() as session:
        if with_consumer:
            add_reader(session)
    for start, count in ((0, 1), (100, 30)):
        people = [f"p{number}@one.example" for number in range(start, start + count)]
        with database.transaction() as session:
            for email in people:
                make.subscriber(session, email)
        with citus.watched(database.engine) as statements, database.transaction() as session:
            erasure.erase(session, map(make.id_of, people), Source.CLI, make.NOW)
            statements.append("end")
        counts.append(len(statements))
    assert counts[0] == counts[1]


# Keys.


def test_an_address_outlives_the_key_that_was_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unacknowledged, "BATCH_SIZE", 1)
    with database.transaction() as session:
        add_reader(session)
        erase(session, ADA, BOB, "eve@example.org")
    with database.transaction() as session:
        session.info["keys"] = {KeyKind.SERVER: ("lost",)}
        assert held(session) == Held(None, make.NOW + HELD_FOR)
        assert unacknowledged.encrypt_again(session) is not None  # It changes nothing.
        session.info["keys"] = {KeyKind.SERVER: (make.SERVER_KEY, "new")}
        after, batches = unacknowledged.encrypt_again(session), 1
        while after is not None:
            after, batches = unacknowledged.encrypt_again(session, after), batches + 1
        assert batches == 3
        session.info["keys"] = {KeyKind.SERVER: ("new",)}
        found = [held(session, email) for email in (ADA, BOB, "eve@example.org")]
        assert [each and each.email for each in found] == [ADA, BOB, None]


def test_encrypting_again_brings_no_address_back(database: Database) -> None:
    with database.transaction() as session:
        add_reader(session)
        erase(session)
        assert settle(session, HELD_FOR)
        unacknowledged.encrypt_again(session)
        assert session.query(UnacknowledgedErasure).one().email is None
