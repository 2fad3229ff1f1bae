"""Forms of the console that create something: one that is sent twice creates it once.

A double click sends a form twice, and the browser shows the second answer.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from preference_center.core.errors import FormSentBeforeError
from preference_center.store import queries
from preference_center.store.tables import StaffForm

REPEATED_WITHIN = timedelta(minutes=1)
KEPT_FOR = timedelta(days=1)


def record(session: Session, digest: bytes, created: UUID, now: datetime) -> UUID:
    """Record that a form was sent, in the transaction of what it creates; return what that is.

    It is `created`, or what the same form has created before. `digest` is that of the form. A
    second transaction waits here for the end of the first.

    Raises:
        FormSentBeforeError: the form was sent longer ago than REPEATED_WITHIN.
    """
    values = {"digest": digest, "created": created, "sent_at": now}
    queries.insert_missing(session, StaffForm, [values])
    row = session.scalars(select(StaffForm).where(StaffForm.digest == digest)).one()
    if now - row.sent_at > REPEATED_WITHIN:
        raise FormSentBeforeError("this form was sent before; open its page again")
    return row.created


def forget(session: Session, digest: bytes) -> None:
    """Forget a form, because what it was sent for has failed."""
    session.execute(delete(StaffForm).where(StaffForm.digest == digest))


def is_expired(now: datetime) -> ColumnElement[bool]:
    """Return the condition of forms that are no longer kept."""
    return StaffForm.sent_at <= now - KEPT_FOR
