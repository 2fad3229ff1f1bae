"""Emails of the outbox on their way out: leased by a worker, then settled or tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import update
from sqlalchemy.orm import Session

from preference_center.core.vocab import OutboxKind, OutboxState
from preference_center.store import queries
from preference_center.store.tables import OutboxRow

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
    """An email that one worker may send until `LEASE_DURATION` has passed.

    `is_postponed` is True if it was due only after it was queued: it has waited before.
    """

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
    locale: str | None
    is_postponed: bool


def lease(session: Session, now: datetime) -> LeasedEmail | None:
    """Lease the email that has been due longest, or return None. Drop emails older than a day."""
    while (row := queries.lock_due_email(session, now)) is not None:
        if now - row.created_at > MAX_AGE:
            row.state, row.settled_at, row.lease = OutboxState.DROPPED, now, None
            session.flush()
            continue
        token, is_postponed = uuid4(), row.due_at > row.created_at
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
            row.locale,
            is_postponed,
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


def postpone(session: Session, leased: LeasedEmail, until: datetime) -> None:
    """Return an email that may not be sent before a time. It does not count as an attempt."""
    _settle(session, leased, {"due_at": until, "lease": None, "attempts": leased.attempts - 1})


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
