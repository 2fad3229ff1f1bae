"""Complaints of subscribers about how data about them are used, and until when to answer.

In the United Kingdom a complaint is to be acknowledged within 30 days (Data Protection Act 2018,
s. 164A; in force since 2026-06-19). GDPR art. 12(3) gives one month to answer a request.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import outbox, subscribers
from preference_center.core.errors import ComplaintRefusal
from preference_center.core.outbox import Email, Notice
from preference_center.core.vocab import OutboxKind
from preference_center.store import queries, sets
from preference_center.store.tables import DataComplaint, SubscriberRow

ACKNOWLEDGE_WITHIN = timedelta(days=30)
MAX_LENGTH = 4000  # characters
MAX_OF_A_DAY = 5  # Of one subscriber.


@dataclass(frozen=True)
class Complaint:
    """A complaint. `email` is None, and `text` is "", once the subscriber is erased."""

    subscriber_id: UUID
    number: int
    received_at: datetime
    text: str
    acknowledged_at: datetime | None
    acknowledged_by: str | None
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
    """Return a text as it is stored: with simple line ends, and without NUL and outer spaces."""
    return text.replace("\x00", " ").replace("\r\n", "\n").replace("\r", "\n").strip()


def add(session: Session, subscriber_id: UUID, text: str, now: datetime) -> None:
    """Store a complaint, and queue the email that tells the operator.

    Raises:
        ComplaintRefusal: the text is empty or too long, the subscriber is erased or not on record,
            or has sent MAX_OF_A_DAY within a day.
    """
    if not 0 < len(text) <= MAX_LENGTH:
        raise ComplaintRefusal(f"a complaint has 1 to {MAX_LENGTH} characters")
    queries.lock_ids(session, [subscriber_id])
    subscriber = subscribers.find(session, subscriber_id)
    if subscriber is None or subscriber.erased_at is not None:
        raise ComplaintRefusal("there is no such subscriber")
    rows = sets.select(session, DataComplaint, [subscriber_id])
    if sum(row[2] > now - timedelta(days=1) for row in rows) >= MAX_OF_A_DAY:
        raise ComplaintRefusal(f"there were {MAX_OF_A_DAY} complaints within a day")
    number = max((row[1] for row in rows), default=0) + 1
    sets.insert(session, DataComplaint, [(subscriber_id, number, now, text, None, None)])
    notice = Notice(number, number, now, now, now)
    outbox.announce(session, [Email(subscriber_id, OutboxKind.DATA_COMPLAINT, "", notice)])


def find(session: Session, subscriber_id: UUID, number: int) -> Complaint | None:
    """Return a complaint, or None."""
    is_it = (DataComplaint.subscriber_id == subscriber_id, DataComplaint.number == number)
    row = session.execute(_COMPLAINTS.where(*is_it)).first()
    return Complaint(*row) if row is not None else None


def read(session: Session, *, acknowledged: bool) -> Iterator[Complaint]:
    """Yield the complaints that wait to be acknowledged, oldest first; on request, the others too.

    The rows are read as they are needed.
    """
    statement = _COMPLAINTS.order_by(
        DataComplaint.received_at, DataComplaint.subscriber_id, DataComplaint.number
    )
    if not acknowledged:
        statement = statement.where(DataComplaint.acknowledged_at.is_(None))
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
        row = (subscriber_id, number, found.received_at, found.text, now, by)
        sets.update(session, DataComplaint, [row])
    return found


_COMPLAINTS = select(
    DataComplaint.subscriber_id,
    DataComplaint.number,
    DataComplaint.received_at,
    DataComplaint.text,
    DataComplaint.acknowledged_at,
    DataComplaint.acknowledged_by,
    SubscriberRow.email,
).join(SubscriberRow, SubscriberRow.subscriber_id == DataComplaint.subscriber_id)
