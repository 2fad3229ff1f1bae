"""Sessions of members who are signed in: each is a row, so that it can be ended at any time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.orm import Session

from preference_center.core.staff import audit
from preference_center.core.staff.members import Member
from preference_center.core.staff.tokens import digest_of, new_token
from preference_center.core.staff_vocab import AuditAction
from preference_center.store.tables import StaffRow, StaffSession

MAX_IDLE = timedelta(hours=1)
MAX_LENGTH = timedelta(hours=12)
_SEEN_EVERY = timedelta(minutes=5)  # A session that is in use is written this often.


@dataclass(frozen=True)
class SignedIn:
    """A member with their session. `is_seen` is False if the session's use is to be recorded."""

    member: Member
    digest: bytes
    started_at: datetime
    is_seen: bool


@dataclass(frozen=True)
class OpenSession:
    """One of a member's sessions."""

    digest: bytes
    started_at: datetime
    seen_at: datetime


def start(session: Session, staff_id: UUID, now: datetime, how: str) -> str:
    """Start a session and return the token for the browser's cookie.

    `how` is for the audit trail: the name of the passkey.
    """
    token = new_token()
    digest = digest_of(token)
    session.add(StaffSession(digest=digest, staff_id=staff_id, started_at=now, seen_at=now))
    audit.record(session, staff_id, AuditAction.SIGNED_IN, now, details={"with": how})
    return token


def find(session: Session, token: str, now: datetime) -> SignedIn | None:
    """Return who has this session, with their role and rights now, or None."""
    # A member may be removed at the moment at which they sign in.
    is_theirs = (StaffRow.id == StaffSession.staff_id, StaffRow.removed_at.is_(None))
    statement = (
        select(StaffSession, StaffRow)
        .join(StaffRow, and_(*is_theirs))
        .where(StaffSession.digest == digest_of(token), is_open(now))
    )
    found = session.execute(statement).one_or_none()
    if found is None:
        return None
    row, staff = found
    member = Member(staff.id, staff.email, staff.role, staff.may_export, staff.created_at)
    return SignedIn(member, row.digest, row.started_at, now - row.seen_at < _SEEN_EVERY)


def was_seen(session: Session, digest: bytes, now: datetime) -> None:
    """Record that a session is in use."""
    seen = update(StaffSession).where(StaffSession.digest == digest)
    session.execute(seen.values(seen_at=now))


def list_open(session: Session, staff_id: UUID, now: datetime) -> list[OpenSession]:
    """Return a member's sessions, the newest first."""
    statement = select(StaffSession).where(StaffSession.staff_id == staff_id, is_open(now))
    rows = session.scalars(statement.order_by(StaffSession.started_at.desc(), StaffSession.digest))
    return [OpenSession(row.digest, row.started_at, row.seen_at) for row in rows]


def end(
    session: Session, staff_id: UUID, digest: bytes, now: datetime, action: AuditAction
) -> None:
    """End a session of a member, if it is theirs. `action` says whether they signed out."""
    ended = delete(StaffSession).where(
        StaffSession.digest == digest, StaffSession.staff_id == staff_id
    )
    if session.execute(ended.returning(StaffSession.digest)).first() is not None:
        audit.record(session, staff_id, action, now)


def is_open(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a session is neither idle for too long nor too old."""
    return and_(StaffSession.seen_at > now - MAX_IDLE, StaffSession.started_at > now - MAX_LENGTH)
