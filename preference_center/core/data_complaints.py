"""Complaints of subscribers about how data about them are used: their deadlines and outcomes.

In the United Kingdom a complaint is to be acknowledged within 30 days, and the person is to be told
the outcome without undue delay (Data Protection Act 2018, s. 164A; in force since 2026-06-19).
GDPR art. 12(3) gives one month to answer a request.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from preference_center.core import outbox, subscribers
from preference_center.core.errors import ComplaintRefusal
from preference_center.core.outbox import Email, Notice
from preference_center.core.vocab import OutboxKind
from preference_center.store import queries, sets
from preference_center.store.tables import DataComplaint, SubscriberRow
from preference_center.util.text import without_controls

ACKNOWLEDGE_WITHIN = timedelta(days=30)
MAX_LENGTH = 4000  # characters
MAX_OF_A_DAY = 5  # Of one subscriber.


@dataclass(frozen=True)
class Complaint:
    """A complaint, and its outcome if it is closed.

    `email` and `outcome` are None, and `text` is "", once the subscriber is erased.
    """

    subscriber_id: UUID
    number: int
    received_at: datetime
    text: str
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None
    email: str | None

    @property
    def reference(self) -> str:
        """Return what staff call it by: the subscriber id and the number."""
        return f"{self.subscriber_id}/{self.number}"

    @property
    def due_at(self) -> datetime:
        return self.received_at + ACKNOWLEDGE_WITHIN

    def is_late(self, now: datetime) -> bool:
        """Return True if it should have been acknowledged, and was not."""
        return self.acknowledged_at is None and self.due_at <= now


def cleaned(text: str) -> str:
    """Return a text as it is stored: with simple line ends, and without control characters."""
    return without_controls(text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def add(session: Session, subscriber_id: UUID, text: str, now: datetime) -> None:
    """Store a complaint, and queue the email that tells the operator.

    Raises:
        ComplaintRefusal: the text is empty or too long, the subscriber is erased or not on record,
            or has sent MAX_OF_A_DAY within a day.
    """
    if not 0 < len(text) <= MAX_LENGTH:
        raise ComplaintRefusal(f"a complaint has 1 to {MAX_LENGTH} characters", "text")
    queries.lock_ids(session, [subscriber_id])
    subscriber = subscribers.find(session, subscriber_id)
    if subscriber is None or subscriber.erased_at is not None:
        raise ComplaintRefusal("there is no such subscriber")
    rows = sets.select(session, DataComplaint, [subscriber_id])
    if sum(row[2] > now - timedelta(days=1) for row in rows) >= MAX_OF_A_DAY:
        raise ComplaintRefusal(f"there were {MAX_OF_A_DAY} complaints within a day")
    number = max((row[1] for row in rows), default=0) + 1
    sets.insert(session, DataComplaint, [(subscriber_id, number, now, text, *[None] * 5)])
    notice = Notice(number, number, now, now, now)
    outbox.announce(session, [Email(subscriber_id, OutboxKind.DATA_COMPLAINT, "", notice)])


def find(session: Session, subscriber_id: UUID, number: int) -> Complaint | None:
    """Return a complaint, or None."""
    is_it = (DataComplaint.subscriber_id == subscriber_id, DataComplaint.number == number)
    row = session.execute(_COMPLAINTS.where(*is_it)).first()
    return Complaint(*row) if row is not None else None


def read(session: Session, *, closed: bool) -> Iterator[Complaint]:
    """Yield the complaints that are not closed, oldest first; on request, the others too.

    The rows are read as they are needed.
    """
    statement = _COMPLAINTS.order_by(
        DataComplaint.received_at, DataComplaint.subscriber_id, DataComplaint.number
    )
    if not closed:
        statement = statement.where(DataComplaint.closed_at.is_(None))
    for row in session.execute(statement, execution_options={"yield_per": 1000}):
        yield Complaint(*row)


def acknowledge(
    session: Session, subscriber_id: UUID, number: int, by: str, now: datetime
) -> Complaint:
    """Record that a complaint was acknowledged, and by whom; return it as it was before.

    A repeat changes nothing. Raise ComplaintRefusal if there is no such complaint.
    """
    queries.lock_ids(session, [subscriber_id])
    found = find(session, subscriber_id, number)
    if found is None:
        raise ComplaintRefusal("there is no such complaint")
    if found.acknowledged_at is None:
        _update(session, found, acknowledged_at=now, acknowledged_by=by)
    return found


def close(
    session: Session, subscriber_id: UUID, number: int, outcome: str, by: str, now: datetime
) -> Complaint:
    """Record what the subscriber was told in the end, and by whom; return the complaint as before.

    It is acknowledged, too, if it was not. A repeat changes nothing.

    Raises:
        ComplaintRefusal: there is no such complaint, or the outcome is empty or too long.
    """
    if not 0 < len(outcome) <= MAX_LENGTH:
        raise ComplaintRefusal(f"an outcome has 1 to {MAX_LENGTH} characters", "outcome")
    found = acknowledge(session, subscriber_id, number, by, now)
    if found.closed_at is None:
        _update(session, found, closed_at=now, closed_by=by, outcome=outcome)
    return found


def _update(session: Session, complaint: Complaint, **values: Any) -> None:
    row = DataComplaint
    is_it = (row.subscriber_id == complaint.subscriber_id, row.number == complaint.number)
    session.execute(update(row).where(*is_it).values(values))


_COMPLAINTS: Select[*tuple[Any, ...]] = select(
    DataComplaint.subscriber_id,
    DataComplaint.number,
    DataComplaint.received_at,
    DataComplaint.text,
    DataComplaint.acknowledged_at,
    DataComplaint.acknowledged_by,
    DataComplaint.closed_at,
    DataComplaint.closed_by,
    DataComplaint.outcome,
    SubscriberRow.email,
).join(SubscriberRow, SubscriberRow.subscriber_id == DataComplaint.subscriber_id)
