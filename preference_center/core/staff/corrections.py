"""Undo what a member of staff has just changed for one subscriber by mistake.

It corrects the record of what the subscriber asked for: what was before is restored, also a consent
with its proof. So it is for the member who made the change or an admin, within UNDO_WITHIN, and
only while nothing newer is in the way. No email tells of it, as none told of the change. It is not
for a change that has put a person on record: they would stay there, without a stop.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from json import loads
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core import ledger, subscribers
from preference_center.core.apply import apply_one
from preference_center.core.change import ChangeContext
from preference_center.core.errors import OnBehalfRefusal
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.state import Subscriber
from preference_center.core.undo import UndoRows, state_before_rows
from preference_center.core.vocab import Source
from preference_center.store.tables import AuditRow

UNDO_WITHIN = timedelta(minutes=30)
ROW = "ledger_row"  # In the details of the audit trail: the ledger row of the change.
_STATED = "channel: correction"
_CHANGES = (AuditAction.PERSON_UNSUBSCRIBED, AuditAction.PERSON_ADJUSTED)


@dataclass(frozen=True)
class Correctable:
    """A change that a member may undo until `until`, by its ledger row."""

    row: int
    until: datetime


def find(
    session: Session, subscriber: Subscriber, by: UUID, now: datetime, *, of_others: bool
) -> Correctable | None:
    """Return the newest change that member `by` may undo now, or None.

    `of_others` says whether they may undo what another member has changed.
    """
    recent = list(_recent(session, subscriber, by, now, of_others=of_others))
    if not recent:
        return None
    first = min(each.row for each in recent)
    entries = ledger.load(session, subscriber.subscriber_id, first)
    return next(
        (each for each in recent if state_before_rows(entries, subscriber, each.row, each.row)),
        None,
    )


def undo(
    session: Session,
    subscriber_id: UUID,
    row: int,
    by: UUID,
    now: datetime,
    zone: tzinfo,
    *,
    of_others: bool,
) -> None:
    """Undo the change of one ledger row of a subscriber. `of_others` is as for `find`.

    Raises:
        OnBehalfRefusal: `by` may not, or no longer, or something newer is in the way.
    """
    person = subscribers.find(session, subscriber_id)
    recent = _recent(session, person, by, now, of_others=of_others) if person is not None else ()
    if row not in (each.row for each in recent):
        raise OnBehalfRefusal(
            "only the member who made a change, or an admin, can undo it, within 30 minutes"
        )
    context = ChangeContext(Source.CONSOLE, now, now, stated_source=_STATED, time_zone=zone)
    if not apply_one(session, UndoRows(subscriber_id, row, row, context), now):
        raise OnBehalfRefusal("something newer was changed, so this can no longer be undone")
    audit.record(session, by, AuditAction.PERSON_CORRECTED, now, subscriber_id, {ROW: row})


def _recent(
    session: Session, subscriber: Subscriber, by: UUID, now: datetime, *, of_others: bool
) -> Iterator[Correctable]:
    """Yield the changes of one subscriber in the time for undo, newest first."""
    after = max(now - UNDO_WITHIN, subscriber.created_at)
    statement = (
        select(AuditRow.at, AuditRow.details)
        .where(AuditRow.about == subscriber.subscriber_id, AuditRow.at > after)
        .where(AuditRow.action.in_(_CHANGES))
        .order_by(AuditRow.position.desc())
    )
    if not of_others:
        statement = statement.where(AuditRow.staff_id == by)
    for at, details in session.execute(statement):
        row = loads(details).get(ROW)
        if row is not None:
            yield Correctable(row, at + UNDO_WITHIN)
