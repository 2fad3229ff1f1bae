"""The outbox: one pending mail a person, claimed once, retried, and never kept too long."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from preference_center.core import history, ledger, outbox
from preference_center.core.change import Target
from preference_center.core.history import NetChange
from preference_center.core.vocab import OutboxKind, OutboxState
from preference_center.store import Database
from preference_center.store.tables import OutboxRow
from tests.support import make

QUIET = timedelta(minutes=2)


def _row(session: Session) -> OutboxRow:
    session.expire_all()
    return session.query(OutboxRow).one()


def _claim(session: Session, at: datetime) -> outbox.LeasedEmail:
    claimed = outbox.lease(session, at)
    assert claimed is not None
    session.flush()
    return claimed


def test_changes_close_together_share_one_mail(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        first = make.stop(session, notice_delay=QUIET)
        later = make.NOW + timedelta(minutes=1)
        last = make.stop(session, slug="offers", at=later, notice_delay=QUIET)
        row = _row(session)
        assert (row.first_seq, row.last_seq) == (first.last_seq, last.last_seq)
        assert row.due_at == later + QUIET


def test_a_mail_waits_for_more_changes_ten_minutes_at_most(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        for minute in range(12):
            at = make.NOW + timedelta(minutes=minute)
            make.stop(session, slug=f"topic-{minute}", at=at, notice_delay=QUIET)
        assert _row(session).due_at == make.NOW + outbox.MAX_DELAY


def test_nobody_without_an_address_is_written_to(database: Database) -> None:
    with database.transaction() as session:
        make.stop(session, "stranger@example.org", notice_delay=QUIET)
        assert session.query(OutboxRow).count() == 0


@pytest.mark.parametrize("source", ["complaint", "bounce", "import", "cli"])
def test_who_did_not_ask_gets_no_mail(database: Database, source: str) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, source=source)
        assert session.query(OutboxRow).count() == 0


def test_a_mail_is_not_claimed_before_it_is_due(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, notice_delay=QUIET)
        assert outbox.lease(session, make.NOW + QUIET - timedelta(seconds=1)) is None
        assert outbox.lease(session, make.NOW + QUIET) is not None


def test_a_claimed_mail_belongs_to_one_worker(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, notice_delay=QUIET)
        _claim(session, make.NOW + QUIET)
        assert outbox.lease(session, make.NOW + QUIET) is None


def test_two_workers_claim_two_mails_at_once(database: Database) -> None:
    if database.is_sqlite:
        return  # one transaction at a time there
    with database.transaction() as session:
        for email in ("ada@example.org", "bob@example.org"):
            make.reader(session, email)
            make.stop(session, email, notice_delay=QUIET)
    with database.transaction() as one, database.transaction() as two:
        first, second = _claim(one, make.NOW + QUIET), _claim(two, make.NOW + QUIET)
        assert first.subscriber_id != second.subscriber_id


def test_a_lapsed_claim_is_repeated_under_the_same_message_id(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, notice_delay=QUIET)
        first = _claim(session, make.NOW + QUIET)
        second = _claim(session, make.NOW + QUIET + outbox.LEASE_DURATION)
        assert second.message_id == first.message_id
        assert (first.attempts, second.attempts) == (1, 2)


def test_a_worker_whose_claim_lapsed_settles_nothing(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, notice_delay=QUIET)
        slow = _claim(session, make.NOW + QUIET)
        later = make.NOW + QUIET + outbox.LEASE_DURATION
        _claim(session, later)
        outbox.settle(session, slow, later, OutboxState.FAILED, "too slow")
        assert (_row(session).state, _row(session).failure) == ("started", None)


def test_a_change_made_while_its_mail_is_sent_gets_a_mail_of_its_own(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, notice_delay=QUIET)
        claimed = _claim(session, make.NOW + QUIET)
        later = make.stop(session, slug="offers", at=make.NOW + QUIET, notice_delay=QUIET)
        pending = session.query(OutboxRow).filter_by(state="pending").one()
        assert claimed.last_seq < pending.first_seq == pending.last_seq == later.last_seq


def test_a_mail_is_tried_again_at_growing_intervals_then_given_up(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, notice_delay=QUIET)
        now, waits = make.NOW + QUIET, []
        for _ in range(len(outbox.RETRY_AFTER) + 1):
            outbox.retry(session, _claim(session, now), now, "451 not now")
            waits.append(_row(session).due_at - now)
            now = max(_row(session).due_at, now)
        assert waits[:-1] == list(outbox.RETRY_AFTER)
        assert (_row(session).state, _row(session).failure) == ("failed", "451 not now")


def test_a_mail_unsent_for_a_day_is_dropped(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        make.stop(session, notice_delay=QUIET)
        assert outbox.lease(session, make.NOW + timedelta(hours=24, seconds=1)) is None
        assert _row(session).state == "dropped"


def test_a_mail_is_awaited_until_it_is_settled(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        seq = make.stop(session, notice_delay=QUIET).last_seq
        assert outbox.has_pending(session, make.person(), seq)
        outbox.settle(session, _claim(session, make.NOW + QUIET), make.NOW, OutboxState.SENT)
        assert not outbox.has_pending(session, make.person(), seq)


def _net_changes(session: Session, first: int, last: int) -> list[NetChange]:
    return history.net_changes(history.own(ledger.load(session, make.person(), first), last))


def test_what_cancels_itself_out_is_no_change(database: Database) -> None:
    with database.transaction() as session:
        make.reader(session)
        stop = make.stop(session)
        kept = make.stop(session, slug="offers")
        undone = make.undo(session, stop.last_seq, stop.last_seq)
        net = _net_changes(session, stop.last_seq, undone.last_seq)
        assert [change.target for change in net] == [Target.of("offers")]
        assert net == _net_changes(session, kept.last_seq, kept.last_seq)


def test_of_one_kind_twenty_mails_a_day_are_sent_however_many_topics_there_are(
    database: Database,
) -> None:
    asked = [f"topic-{number}" for number in range(30)]
    with database.transaction() as session:
        for topic in asked:
            outbox.request(session, make.person(), OutboxKind.OPT_IN_REQUEST, make.NOW, topic)
        assert session.query(OutboxRow).count() == outbox.MAX_OF_A_KIND
        outbox.request(session, make.person(), OutboxKind.LINK, make.NOW)
        tomorrow = make.NOW + timedelta(days=1)
        outbox.request(session, make.person(), OutboxKind.OPT_IN_REQUEST, tomorrow, "topic-29")
        assert session.query(OutboxRow).count() == outbox.MAX_OF_A_KIND + 2
