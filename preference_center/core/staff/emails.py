"""The emails that members of staff have chosen: the figures of each week, and alerts.

Each is queued once, whichever worker is the first to look: the member's row says when.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

from sqlalchemy import Update, select, update
from sqlalchemy.orm import Session

from preference_center.core import outbox
from preference_center.core.outbox import Email, Notice
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.core.vocab import OutboxKind
from preference_center.store.tables import StaffRow
from preference_center.util.clock import last_monday

FIGURES_HOUR = 7  # on Mondays
ALERT_EVERY = timedelta(days=1)


@dataclass(frozen=True)
class Wanted:
    """Which emails a member has chosen."""

    figures: bool
    alerts: bool


def wanted_by(session: Session, staff_id: UUID) -> Wanted:
    """Return the choice of a member."""
    row = session.get_one(StaffRow, staff_id)
    return Wanted(row.figures_at is not None, row.alerts_at is not None)


def choose(session: Session, staff_id: UUID, wanted: Wanted, now: datetime) -> None:
    """Store the choice of a member.

    The first figures come on the next Monday, and the first alert is about the last ALERT_EVERY.
    """
    row = session.get_one(StaffRow, staff_id, with_for_update=True)
    row.figures_at = (row.figures_at or now) if wanted.figures else None
    row.alerts_at = (row.alerts_at or now - ALERT_EVERY) if wanted.alerts else None
    audit.record(session, staff_id, AuditAction.EMAILS_CHOSEN, now, details=asdict(wanted))


def queue_figures(session: Session, now: datetime, zone: tzinfo) -> None:
    """Queue the figures of the week for those who want them, once a week from Monday morning on."""
    due = StaffRow.figures_at < last_monday(now, zone, FIGURES_HOUR)
    queued = update(StaffRow).where(due).values(figures_at=now)
    _queue(session, queued, OutboxKind.STAFF_FIGURES, now)


def wants_alerts(session: Session) -> bool:
    """Return True if any member does."""
    wanting = select(StaffRow.id).where(StaffRow.alerts_at.is_not(None)).limit(1)
    return session.scalar(wanting) is not None


def queue_alerts(session: Session, newest: datetime, now: datetime) -> None:
    """Queue an alert for those who want alerts, at most one in ALERT_EVERY.

    `newest` is when the last thing was noticed that is wrong now.
    """
    due = (StaffRow.alerts_at <= now - ALERT_EVERY, StaffRow.alerts_at < newest)
    queued = update(StaffRow).where(*due).values(alerts_at=now)
    _queue(session, queued, OutboxKind.STAFF_ALERT, now)


def _queue(session: Session, marked: Update, kind: OutboxKind, now: datetime) -> None:
    """Mark the rows of members, and queue an email for each."""
    options: Any = {"synchronize_session": False}
    ids = session.scalars(marked.returning(StaffRow.id), execution_options=options).all()
    notice = Notice(0, 0, now, now, now)
    outbox.announce(session, [Email(each, kind, "", notice) for each in ids])
