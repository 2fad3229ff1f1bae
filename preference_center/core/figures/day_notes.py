"""Notes of a day, which marketers add and charts show, like "switched the provider"."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from preference_center.core.errors import DayNoteRefusal
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.store.report_queries import day_of
from preference_center.store.tables import StaffNote, StaffRow
from preference_center.util.text import without_controls

MAX_LENGTH = 200  # characters
_OLDEST = timedelta(days=3660)


@dataclass(frozen=True)
class DayNote:
    """A note of a day. `by` is the address of the member who has added it."""

    id: UUID
    day: date
    text: str
    by: str


def between(session: Session, first: date, last: date) -> list[DayNote]:
    """Return the notes of some days, the newest day first."""
    statement = (
        select(StaffNote, StaffRow.email)
        .join(StaffRow, StaffRow.id == StaffNote.staff_id)
        .where(StaffNote.day >= first, StaffNote.day <= last)
        .order_by(StaffNote.day.desc(), StaffNote.created_at, StaffNote.id)
    )
    return [DayNote(row.id, row.day, row.text, email) for row, email in session.execute(statement)]


def add(session: Session, day: str, text: str, *, by: UUID, now: datetime) -> None:
    """Add a note of a day, written as in ISO 8601.

    Raises:
        DayNoteRefusal: the day is none, is to come or is too long ago, or the text is none.
    """
    words = " ".join(without_controls(text).split())
    if not 0 < len(words) <= MAX_LENGTH:
        raise DayNoteRefusal(f"write a note of 1 to {MAX_LENGTH} characters", "text")
    noted = _day(day, day_of(now))
    session.add(StaffNote(id=uuid4(), day=noted, text=words, staff_id=by, created_at=now))
    audit.record(session, by, AuditAction.DAY_NOTED, now, details={"day": str(noted)})


def remove(session: Session, note_id: UUID, *, by: UUID, now: datetime) -> None:
    """Remove a note. One that was removed before stays so."""
    removed = delete(StaffNote).where(StaffNote.id == note_id).returning(StaffNote.day)
    day = session.scalar(removed)
    if day is not None:
        audit.record(session, by, AuditAction.DAY_NOTE_REMOVED, now, details={"day": str(day)})


def _day(text: str, today: date) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise DayNoteRefusal("choose a day", "day") from None
    if not today - _OLDEST <= day <= today:
        raise DayNoteRefusal("choose a day of the last ten years", "day")
    return day
