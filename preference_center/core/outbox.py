"""The outbox: emails written with the change they announce, leased by a worker, then settled."""

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

MAX_REQUESTS = 3  # Per day, subscriber, kind and topic.
MAX_OF_A_KIND = 20  # Per day, subscriber and kind: there may be hundreds of topics.
MAX_DELAY = timedelta(minutes=10)
MAX_AGE = timedelta(hours=24)
# Longer than an SMTP session in which every reply takes 20 seconds.
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
    """An email that one worker may send until `LEASE_DURATION` has passed."""

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
    """Queue an email about ledger rows `first` to `last` only, due at once.

    No later change is added to it, so that its undo link undoes exactly these rows.
    """
    row = _new(subscriber_id, OutboxKind.CHANGE_NOTICE, "", first, now)
    session.add(OutboxRow(**row | {"last_seq": last, "state": OutboxState.STARTED}))


def request(
    session: Session, subscriber_id: UUID, kind: OutboxKind, now: datetime, topic: str = ""
) -> None:
    """Queue an email that was requested, unless too many were requested within a day.

    Runs the same SQL for known and unknown addresses, so that response time does not reveal which
    is which (P8). The worker drops messages for unknown addresses.
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
    """Return True if an email about ledger row `seq` is still to be sent."""
    statement = select(OutboxRow.id).where(
        OutboxRow.subscriber_id == subscriber_id,
        OutboxRow.state.in_((OutboxState.PENDING, OutboxState.STARTED)),
        OutboxRow.first_seq <= seq,
        OutboxRow.last_seq >= seq,
    )
    return session.scalars(statement).first() is not None


def lease(session: Session, now: datetime) -> LeasedEmail | None:
    """Lease the email that has been due longest, or return None. Drop emails older than a day."""
    while (row := queries.lock_due_email(session, now)) is not None:
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
    session: Session, leased: LeasedEmail, now: datetime, state: OutboxState, why: str = ""
) -> None:
    """Settle a leased email in its final state, unless another worker has leased it since."""
    values = {"state": state, "settled_at": now, "failure": why or None, "lease": None}
    _settle(session, leased, values)


def retry(session: Session, leased: LeasedEmail, now: datetime, why: str) -> None:
    """Return an email for a later attempt, or settle it as failed after the last one."""
    if leased.attempts > len(RETRY_AFTER):
        settle(session, leased, now, OutboxState.FAILED, why)
        return
    due = now + RETRY_AFTER[leased.attempts - 1]
    _settle(session, leased, {"due_at": due, "lease": None, "failure": why})


def _settle(session: Session, leased: LeasedEmail, values: dict[str, Any]) -> None:
    session.execute(
        update(OutboxRow)
        .where(
            OutboxRow.subscriber_id == leased.subscriber_id,
            OutboxRow.id == leased.id,
            OutboxRow.lease == leased.lease,
        )
        .values(**values)
    )
