"""Mails to be sent: written with the change they tell of, claimed by a worker, then settled."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from preference_center.core.change import ChangeContext
from preference_center.core.vocab import OutboxKind, OutboxState
from preference_center.store import queries
from preference_center.store.tables import OutboxRow

MAX_REQUESTS = 3  # A day, for one subscriber, of one kind and topic.
MAX_OF_A_KIND = 20  # A day, over all topics: the holder of a link could ask for each of hundreds.
MAX_DELAY = timedelta(minutes=10)
MAX_AGE = timedelta(hours=24)
# Longer than a whole conversation with a mail server whose every answer takes 20 seconds.
LEASE_DURATION = timedelta(minutes=5)
RETRY_AFTER = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)


@dataclass(frozen=True)
class LeasedEmail:
    """A mail that one worker holds until `LEASE_DURATION` has passed."""

    subscriber_id: UUID
    id: UUID
    lease: UUID
    kind: OutboxKind
    topic: str
    message_id: str
    first_seq: int
    last_seq: int
    attempts: int
    created_at: datetime
    in_reply_to: str | None


def schedule(session: Session, subscriber_id: UUID, seq: int, context: ChangeContext) -> None:
    """Add ledger row `seq` to the subscriber's one pending change notice.

    It is sent once `context.notice_delay` has passed without a further change, and at the latest
    `MAX_DELAY` after the first one. If an email triggered the change, the notice replies to that
    email (RFC 3834 §3.1.5).
    """
    now, delay = context.recorded_at, context.notice_delay or timedelta(0)
    row = _new(subscriber_id, OutboxKind.CHANGE_NOTICE, "", seq, now)
    row |= {"due_at": now + delay, "latest_at": now + max(MAX_DELAY, delay)}
    row["in_reply_to"] = context.in_reply_to
    queries.add_to_pending(session, row)


def notify_now(session: Session, subscriber_id: UUID, first: int, last: int, now: datetime) -> None:
    """Let ledger rows `first` to `last` have an email of their own, due at once.

    It covers no other change, and no later one is added to it: what is undone from it is exactly
    these rows.
    """
    row = _new(subscriber_id, OutboxKind.CHANGE_NOTICE, "", first, now)
    session.add(OutboxRow(**row | {"last_seq": last, "state": OutboxState.STARTED}))


def request(
    session: Session, subscriber_id: UUID, kind: OutboxKind, now: datetime, topic: str = ""
) -> None:
    """Let a mail that was asked for be sent at once, if that is not asked too often in a day.

    It takes the same statements whether the person is known or not: the time that an answer
    takes must not tell (P8). The worker drops what is for nobody.
    """
    asked = select(func.count(), func.count().filter(OutboxRow.topic == topic)).where(
        OutboxRow.subscriber_id == subscriber_id,
        OutboxRow.kind == kind,
        OutboxRow.created_at > now - timedelta(days=1),
    )
    of_kind, of_topic = session.execute(asked).one()
    if of_kind < MAX_OF_A_KIND and of_topic < MAX_REQUESTS:
        queries.add_to_pending(session, _new(subscriber_id, kind, topic, 0, now))


def _new(
    subscriber_id: UUID, kind: OutboxKind, topic: str, seq: int, now: datetime
) -> dict[str, Any]:
    return {
        "subscriber_id": subscriber_id,
        "id": uuid4(),
        "kind": kind,
        "topic": topic,
        "state": OutboxState.PENDING,
        "first_seq": seq,
        "last_seq": seq,
        "message_id": uuid4().hex,
        "created_at": now,
        "latest_at": now,
        "due_at": now,
        "attempts": 0,
    }


def has_pending(session: Session, subscriber_id: UUID, seq: int) -> bool:
    """Tell whether a mail about ledger row `seq` is still to be sent."""
    statement = select(OutboxRow.id).where(
        OutboxRow.subscriber_id == subscriber_id,
        OutboxRow.state.in_((OutboxState.PENDING, OutboxState.STARTED)),
        OutboxRow.first_seq <= seq,
        OutboxRow.last_seq >= seq,
    )
    return session.scalars(statement).first() is not None


def lease(session: Session, now: datetime) -> LeasedEmail | None:
    """Take the mail that has been due longest, or None. What is a day old is dropped unsent."""
    while (row := queries.take_due_mail(session, now)) is not None:
        if now - row.created_at > MAX_AGE:
            row.state, row.settled_at, row.lease = OutboxState.DROPPED, now, None
            session.flush()
            continue
        token = uuid4()
        row.state, row.lease, row.due_at = OutboxState.STARTED, token, now + LEASE_DURATION
        row.attempts += 1
        return LeasedEmail(
            row.subscriber_id,
            row.id,
            token,
            row.kind,
            row.topic,
            row.message_id,
            row.first_seq,
            row.last_seq,
            row.attempts,
            row.created_at,
            row.in_reply_to,
        )
    return None


def settle(
    session: Session, mail: LeasedEmail, now: datetime, state: OutboxState, why: str = ""
) -> None:
    """End a claimed mail as `sent`, `failed` or `dropped`, unless another worker holds it now."""
    values = {"state": state, "settled_at": now, "failure": why or None, "lease": None}
    _settle(session, mail, values)


def retry(session: Session, mail: LeasedEmail, now: datetime, why: str) -> None:
    """Give a mail back to be tried again later, or end it as `failed` after the last try."""
    if mail.attempts > len(RETRY_AFTER):
        settle(session, mail, now, OutboxState.FAILED, why)
        return
    due = now + RETRY_AFTER[mail.attempts - 1]
    _settle(session, mail, {"due_at": due, "lease": None, "failure": why})


def _settle(session: Session, mail: LeasedEmail, values: dict[str, Any]) -> None:
    session.execute(
        update(OutboxRow)
        .where(
            OutboxRow.subscriber_id == mail.subscriber_id,
            OutboxRow.id == mail.id,
            OutboxRow.lease == mail.lease,
        )
        .values(**values)
    )
