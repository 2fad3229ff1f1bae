"""The outbox: one pending email per subscriber, leased once, retried, dropped when too old."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from preference_center.core import history, leases, ledger, outbox
from preference_center.core.change import Target
from preference_center.core.history import NetChange
from preference_center.core.vocab import OutboxKind, OutboxState
from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support import make

NOTICE_DELAY = timedelta(minutes=2)


def _row(session: Session) -> OutboxRow:
    session.expire_all()
    return session.query(OutboxRow).one()


def _lease(session: Session, at: datetime) -> leases.LeasedEmail:
    leased = leases.lease(session, at)
    assert leased is not None
    session.flush()
    return leased


def test_changes_close_together_share_one_email(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        first = make.unsubscribe(session, notice_delay=NOTICE_DELAY)
        later = make.NOW + timedelta(minutes=1)
        last = make.unsubscribe(session, slug="offers", at=later, notice_delay=NOTICE_DELAY)
        row = _row(session)
        assert (row.first_seq, row.last_seq) == (first.last_seq, last.last_seq)
        assert row.due_at == later + NOTICE_DELAY


def test_an_email_waits_at_most_ten_minutes_for_further_changes(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        for minute in range(12):
            at = make.NOW + timedelta(minutes=minute)
            make.unsubscribe(session, slug=f"topic-{minute}", at=at, notice_delay=NOTICE_DELAY)
        assert _row(session).due_at == make.NOW + outbox.MAX_DELAY


def test_a_subscriber_without_an_address_gets_no_email(database: Database) -> None:
    with database.transaction() as session:
        make.unsubscribe(session, "stranger@example.org", notice_delay=NOTICE_DELAY)
        assert session.query(OutboxRow).count() == 0


@pytest.mark.parametrize("source", ["complaint", "bounce", "import", "cli"])
def test_a_change_not_made_by_the_subscriber_sends_no_email(
    database: Database, source: str
) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, source=source)
        assert session.query(OutboxRow).count() == 0


def test_an_email_is_not_leased_before_it_is_due(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, notice_delay=NOTICE_DELAY)
        assert leases.lease(session, make.NOW + NOTICE_DELAY - timedelta(seconds=1)) is None
        assert leases.lease(session, make.NOW + NOTICE_DELAY) is not None


def test_a_leased_email_belongs_to_one_worker(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, notice_delay=NOTICE_DELAY)
        _lease(session, make.NOW + NOTICE_DELAY)
        assert leases.lease(session, make.NOW + NOTICE_DELAY) is None


@pytest.mark.parametrize("database_url", ["postgresql", "distributed"], indirect=True)
def test_two_workers_lease_two_emails_at_once(database: Database) -> None:
    with database.transaction() as session:
        for email in ("ada@example.org", "bob@example.org"):
            make.subscriber(session, email)
            make.unsubscribe(session, email, notice_delay=NOTICE_DELAY)
    with database.transaction() as one, database.transaction() as two:
        first, second = _lease(one, make.NOW + NOTICE_DELAY), _lease(two, make.NOW + NOTICE_DELAY)
        assert first.subscriber_id != second.subscriber_id


@pytest.mark.parametrize("database_url", ["postgresql", "distributed"], indirect=True)
def test_workers_lease_each_email_once(database: Database) -> None:
    emails = [f"p{number}@example.org" for number in range(60)]
    with database.transaction() as session:
        for email in emails:
            make.subscriber(session, email)
            make.unsubscribe(session, email, notice_delay=NOTICE_DELAY)

    def work(_: int) -> list[UUID]:
        leased: list[UUID] = []
        while True:
            with database.transaction() as session:
                found = leases.lease(session, make.NOW + NOTICE_DELAY)
            if found is None:
                return leased
            leased.append(found.subscriber_id)

    with ThreadPoolExecutor(4) as threads:
        leased = list(chain.from_iterable(threads.map(work, range(4))))
    assert sorted(leased) == sorted(map(make.id_of, emails))


def test_an_expired_lease_is_repeated_under_the_same_message_id(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, notice_delay=NOTICE_DELAY)
        first = _lease(session, make.NOW + NOTICE_DELAY)
        second = _lease(session, make.NOW + NOTICE_DELAY + leases.LEASE_DURATION)
        assert second.message_id == first.message_id
        assert (first.attempts, second.attempts) == (1, 2)


def test_a_worker_with_an_expired_lease_settles_nothing(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, notice_delay=NOTICE_DELAY)
        slow = _lease(session, make.NOW + NOTICE_DELAY)
        later = make.NOW + NOTICE_DELAY + leases.LEASE_DURATION
        _lease(session, later)
        leases.settle(session, slow, later, OutboxState.FAILED, "too slow")
        assert (_row(session).state, _row(session).failure) == ("started", None)


def test_a_change_made_during_sending_gets_an_email_of_its_own(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, notice_delay=NOTICE_DELAY)
        leased = _lease(session, make.NOW + NOTICE_DELAY)
        later = make.unsubscribe(
            session, slug="offers", at=make.NOW + NOTICE_DELAY, notice_delay=NOTICE_DELAY
        )
        pending = session.query(OutboxRow).filter_by(state="pending").one()
        assert leased.last_seq < pending.first_seq == pending.last_seq == later.last_seq


def test_an_email_is_retried_at_growing_intervals_then_fails(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, notice_delay=NOTICE_DELAY)
        now, waits = make.NOW + NOTICE_DELAY, []
        for _ in range(len(leases.RETRY_AFTER) + 1):
            leases.retry(session, _lease(session, now), now, "451 not now")
            waits.append(_row(session).due_at - now)
            now = max(_row(session).due_at, now)
        assert waits[:-1] == list(leases.RETRY_AFTER)
        assert (_row(session).state, _row(session).failure) == ("failed", "451 not now")


def test_an_email_unsent_for_a_day_is_dropped(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        make.unsubscribe(session, notice_delay=NOTICE_DELAY)
        assert leases.lease(session, make.NOW + timedelta(hours=24, seconds=1)) is None
        assert _row(session).state == "dropped"


def test_an_email_is_pending_until_it_is_settled(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        seq = make.unsubscribe(session, notice_delay=NOTICE_DELAY).last_seq
        assert outbox.has_pending(session, make.id_of(), seq)
        leases.settle(session, _lease(session, make.NOW + NOTICE_DELAY), make.NOW, OutboxState.SENT)
        assert not outbox.has_pending(session, make.id_of(), seq)


def _net_changes(session: Session, first: int, last: int) -> list[NetChange]:
    return history.net_changes(history.own_choices(ledger.load(session, make.id_of(), first), last))


def test_changes_that_cancel_out_are_not_net_changes(database: Database) -> None:
    with database.transaction() as session:
        make.subscriber(session)
        unsubscribe = make.unsubscribe(session)
        kept = make.unsubscribe(session, slug="offers")
        undone = make.undo(session, unsubscribe.last_seq, unsubscribe.last_seq)
        net = _net_changes(session, unsubscribe.last_seq, undone.last_seq)
        assert [change.target for change in net] == [Target.of("offers")]
        assert net == _net_changes(session, kept.last_seq, kept.last_seq)


def test_at_most_twenty_emails_of_a_kind_are_queued_a_day(
    database: Database,
) -> None:
    requested = [f"topic-{number}" for number in range(30)]
    with database.transaction() as session:
        for topic in requested:
            request = (make.id_of(), OutboxKind.OPT_IN_REQUEST, topic)
            outbox.request(session, [request], make.NOW)
        assert session.query(OutboxRow).count() == outbox.MAX_OF_A_KIND
        outbox.request(session, [(make.id_of(), OutboxKind.LINK, "")], make.NOW)
        tomorrow = make.NOW + timedelta(days=1)
        outbox.request(session, [(make.id_of(), OutboxKind.OPT_IN_REQUEST, "topic-29")], tomorrow)
        assert session.query(OutboxRow).count() == outbox.MAX_OF_A_KIND + 2
