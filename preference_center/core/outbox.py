"""The outbox: emails written with the change they announce. `core.leases` sends them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from preference_center.core.change import ChangeContext
from preference_center.core.vocab import TO_STAFF, OutboxKind, OutboxState
from preference_center.store import sets
from preference_center.store.tables import FAILED, OutboxRow

MAX_REQUESTS = 3  # Per day, subscriber, kind and topic.
MAX_OF_A_KIND = 20  # Per day, subscriber and kind: there may be hundreds of topics.
MAX_DELAY = timedelta(minutes=10)
Request = tuple[UUID, OutboxKind, str]  # A subscriber id, a kind, and a topic or "".

# A pending email is extended by a later change. `created_at` is renewed, because a confirm link
# counts from the last request. It is one statement, so that a worker leases the row either before
# it or after it.
_EXTEND_PENDING = """
ON CONFLICT (subscriber_id, kind, topic) WHERE state = 'pending' DO UPDATE SET
    last_seq = excluded.last_seq,
    created_at = excluded.created_at,
    due_at = CASE
        WHEN excluded.due_at < outbox.latest_at THEN excluded.due_at ELSE outbox.latest_at
    END,
    locale = coalesce(excluded.locale, outbox.locale)
"""


@dataclass(frozen=True)
class Notice:
    """An email to a subscriber about ledger rows `first_seq` to `last_seq`."""

    first_seq: int
    last_seq: int
    created_at: datetime
    latest_at: datetime
    due_at: datetime
    in_reply_to: str | None = None

    def extended(self, later: "Notice") -> "Notice":
        """Return this notice with a later change added, as `_EXTEND_PENDING` does."""
        return replace(
            self,
            last_seq=later.last_seq,
            created_at=later.created_at,
            due_at=min(later.due_at, self.latest_at),
        )


def notice_of(seq: int, context: ChangeContext) -> Notice:
    """Return the notice of ledger row `seq`.

    It is sent once `context.notice_delay` has passed without a further change, and at the latest
    `MAX_DELAY` after the first one. If an email triggered the change, the notice replies to that
    email (RFC 3834 §3.1.5).
    """
    now, delay = context.recorded_at, context.notice_delay or timedelta(0)
    latest_at = now + max(MAX_DELAY, delay)
    return Notice(seq, seq, now, latest_at, now + delay, context.in_reply_to)


@dataclass(frozen=True)
class Email:
    """An email to be sent to one subscriber, in a language that was chosen for it, or None."""

    subscriber_id: UUID
    kind: OutboxKind
    topic: str
    notice: Notice
    locale: str | None = None


def announce(session: Session, emails: Sequence[Email]) -> None:
    """Queue emails to which no later change is added: an undo link undoes exactly theirs."""
    sets.insert(session, OutboxRow, [_row(each, OutboxState.STARTED) for each in emails])


def add_to_pending(session: Session, emails: Sequence[Email]) -> None:
    """Queue emails, or extend the pending ones of the same subscriber, kind and topic."""
    rows = [_row(each, OutboxState.PENDING) for each in emails]
    sets.insert(session, OutboxRow, rows, _EXTEND_PENDING)


def request(
    session: Session,
    requests: Iterable[Request],
    now: datetime,
    languages: Mapping[UUID, str | None] | None = None,
) -> None:
    """Queue emails that were requested, unless too many were requested within a day.

    `languages` are those that subscribers chose for these emails. Runs the same SQL for known and
    unknown addresses, so that response time does not reveal which is which (P8). The worker drops
    messages for unknown addresses.
    """
    wanted = list(dict.fromkeys(requests))
    if not wanted:
        return
    asked = _requested_today(session, {each[0] for each in wanted}, now)
    of_kind = Counter[tuple[UUID, OutboxKind]]()
    for (subscriber_id, kind, _), count in asked.items():
        of_kind[subscriber_id, kind] += count
    allowed = []
    for subscriber_id, kind, topic in wanted:
        few = of_kind[subscriber_id, kind] < MAX_OF_A_KIND
        if few and asked[subscriber_id, kind, topic] < MAX_REQUESTS:
            of_kind[subscriber_id, kind] += 1
            notice, locale = Notice(0, 0, now, now, now), (languages or {}).get(subscriber_id)
            allowed.append(Email(subscriber_id, kind, topic, notice, locale))
    add_to_pending(session, allowed)


def _requested_today(session: Session, ids: set[UUID], now: datetime) -> Counter[Request]:
    key = (OutboxRow.subscriber_id, OutboxRow.kind, OutboxRow.topic)
    recent = select(*key, func.count().label("requests")).where(
        OutboxRow.subscriber_id.in_(ids), OutboxRow.created_at > now - timedelta(days=1)
    )
    counted = session.execute(recent.group_by(*key))
    return Counter({(each.subscriber_id, each.kind, each.topic): each.requests for each in counted})


def _row(email: Email, state: OutboxState) -> tuple[Any, ...]:
    notice = email.notice
    return (
        email.subscriber_id,
        uuid4(),
        email.kind,
        email.topic,
        state,
        notice.first_seq,
        notice.last_seq,
        uuid4().hex,
        notice.created_at,
        notice.latest_at,
        notice.due_at,
        0,
        None,
        None,
        None,
        notice.in_reply_to,
        email.locale,
    )


def has_pending(session: Session, subscriber_id: UUID, seq: int) -> bool:
    """Return True if an email about ledger row `seq` is still to be sent."""
    statement = select(OutboxRow.id).where(
        OutboxRow.subscriber_id == subscriber_id,
        OutboxRow.kind == OutboxKind.CHANGE_NOTICE,
        OutboxRow.state.in_((OutboxState.PENDING, OutboxState.STARTED)),
        OutboxRow.first_seq <= seq,
        OutboxRow.last_seq >= seq,
    )
    return session.scalars(statement).first() is not None


def opt_in_requests(session: Session, subscriber_id: UUID, since: datetime) -> dict[str, datetime]:
    """Return the topics whose confirm link was last requested after `since`, and when."""
    last = func.max(OutboxRow.created_at).label("asked_at")
    statement = select(OutboxRow.topic, last).where(
        OutboxRow.subscriber_id == subscriber_id,
        OutboxRow.kind == OutboxKind.OPT_IN_REQUEST,
        OutboxRow.state.not_in((OutboxState.FAILED, OutboxState.DROPPED)),
        OutboxRow.created_at > since,
    )
    rows = session.execute(statement.group_by(OutboxRow.topic))
    return {row.topic: row.asked_at for row in rows}


@dataclass(frozen=True)
class FailedEmail:
    """An email that will not be tried again. `why` is the reply of the mail server."""

    subscriber_id: UUID
    kind: OutboxKind
    topic: str
    settled_at: datetime
    attempts: int
    why: str

    @property
    def is_to_staff(self) -> bool:
        """Return True if the id is that of a member of staff."""
        return self.kind in TO_STAFF


def newest_failed(session: Session, limit: int) -> list[FailedEmail]:
    """Return at most `limit` emails that have failed, the newest first."""
    columns = (OutboxRow.subscriber_id, OutboxRow.kind, OutboxRow.topic, OutboxRow.settled_at)
    statement = select(*columns, OutboxRow.attempts, func.coalesce(OutboxRow.failure, ""))
    newest = statement.where(FAILED).order_by(OutboxRow.settled_at.desc()).limit(limit)
    rows: Any = session.execute(newest)
    return [FailedEmail(*row) for row in rows]
