"""Members of staff: invite, list, change and remove them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from preference_center.core import outbox
from preference_center.core.errors import StaffRefusal
from preference_center.core.outbox import Email, Notice
from preference_center.core.staff import audit
from preference_center.core.staff.tokens import digest_of, new_token
from preference_center.core.staff_vocab import AuditAction, Right, StaffRole
from preference_center.core.vocab import OutboxKind
from preference_center.store import queries
from preference_center.store.tables import (
    SavedExportRow,
    StaffInvitation,
    StaffPasskey,
    StaffRow,
    StaffSession,
)

INVITATION_LIFETIME = timedelta(minutes=30)
_IS_ADMIN = and_(StaffRow.role == StaffRole.ADMIN, StaffRow.removed_at.is_(None))


@dataclass(frozen=True)
class Member:
    """A member of staff, and their rights now. `passkeys` is how many they have."""

    id: UUID
    email: str
    role: StaffRole
    may_export: bool
    created_at: datetime
    passkeys: int = 0

    @property
    def rights(self) -> frozenset[Right]:
        """Return the rights of the role, with the one to export if it was granted."""
        return self.role.rights | ({Right.EXPORT} if self.may_export else set())


def invite(
    session: Session,
    email: str,
    role: StaffRole | None,
    now: datetime,
    *,
    by: UUID | None,
    may_export: bool | None = None,
    secret: bytes | None = None,
) -> tuple[Member, str]:
    """Return a member and the token of a link with which they create a passkey, once.

    A member gets a new link after they have lost their passkeys. Their role and right to export
    stay unless they are given. The link replaces the ones before it. `by` is the member who
    invites, or None for the command line. The token is one of `new_token`.

    Raises:
        StaffRefusal: there is no such member, and no role was given.
    """
    row = _invite(session, email, role, may_export, by, now)
    return member_of(row), new_link(session, row.id, now, secret)


def invite_by_email(
    session: Session,
    email: str,
    role: StaffRole | None,
    now: datetime,
    *,
    by: UUID | None,
    may_export: bool | None = None,
) -> Member:
    """Do what `invite` does, but queue an email with the link, which no one else sees."""
    row = _invite(session, email, role, may_export, by, now)
    notice = Notice(0, 0, now, now, now)
    queued = Email(row.id, OutboxKind.STAFF_INVITATION, "", notice)
    outbox.add_to_pending(session, [queued])  # A click may be sent twice.
    return member_of(row)


def new_link(session: Session, staff_id: UUID, now: datetime, secret: bytes | None = None) -> str:
    """Store an invitation of a member, and return its token, of `secret` or of random bytes.

    For an email, it is called when the email is sent, so the token is stored nowhere, and its time
    begins then. What an earlier attempt to send has made stays valid: its email may have come.
    """
    token, expires_at = new_token(secret), now + INVITATION_LIFETIME
    session.add(StaffInvitation(digest=digest_of(token), staff_id=staff_id, expires_at=expires_at))
    return token


def invited(session: Session, token: str, now: datetime) -> Member | None:
    """Return the member whose invitation this is, or None if it is used, replaced or expired."""
    statement = (
        select(StaffRow)
        .join(StaffInvitation, StaffInvitation.staff_id == StaffRow.id)
        .where(StaffInvitation.digest == digest_of(token), StaffInvitation.expires_at > now)
    )
    row = session.scalar(statement)
    return member_of(row) if row is not None else None


def use_invitation(session: Session, token: str, now: datetime) -> Member | None:
    """Return what `invited` does, and delete the member's invitations, so that one works once."""
    member = invited(session, token, now)
    used = delete(StaffInvitation).where(StaffInvitation.digest == digest_of(token))
    if member is None or session.scalar(used.returning(StaffInvitation.digest)) is None:
        return None
    session.execute(delete(StaffInvitation).where(StaffInvitation.staff_id == member.id))
    return member


def find(session: Session, staff_id: UUID) -> Member | None:
    """Return a member who was not removed, or None."""
    row = session.get(StaffRow, staff_id)
    return member_of(row) if row is not None and row.removed_at is None else None


def list_all(session: Session) -> list[Member]:
    """Return the members, by address."""
    statement = (
        select(StaffRow, func.count(StaffPasskey.id))
        .outerjoin(StaffPasskey, StaffPasskey.staff_id == StaffRow.id)
        .where(StaffRow.removed_at.is_(None))
        .group_by(StaffRow.id)
        .order_by(StaffRow.email)
    )
    return [member_of(row, passkeys) for row, passkeys in session.execute(statement)]


def change(
    session: Session,
    email: str,
    role: StaffRole,
    *,
    may_export: bool,
    by: UUID | None,
    now: datetime,
) -> Member:
    """Give a member a role, and the right to export or not. It holds from their next request on.

    Raises:
        StaffRefusal: there is no such member, they are the last admin, or they give themselves the
            right to export.
    """
    _lock_admins(session)
    row = _row(session, email)
    if may_export and not row.may_export and by == row.id:
        raise StaffRefusal("another admin, or the command, gives you the right to export")
    _change(session, row, role, may_export)
    audit.record(session, by, AuditAction.ROLE_CHANGED, now, details=_rights(row))
    return member_of(row)


def remove(session: Session, email: str, *, by: UUID | None, now: datetime) -> Member:
    """Remove a member with their passkeys, invitations, sessions, chosen emails and saved exports.

    Raises:
        StaffRefusal: there is no such member, or they are the last admin.
    """
    _lock_admins(session)
    row = _row(session, email)
    if row.role is StaffRole.ADMIN:
        _refuse_last_admin(session, row)
    row.removed_at, row.figures_at, row.alerts_at = now, None, None
    _forget_credentials(session, row)
    session.execute(delete(SavedExportRow).where(SavedExportRow.staff_id == row.id))
    audit.record(session, by, AuditAction.MEMBER_REMOVED, now, details={"member": str(row.id)})
    return member_of(row)


def _invite(
    session: Session,
    email: str,
    role: StaffRole | None,
    may_export: bool | None,
    by: UUID | None,
    now: datetime,
) -> StaffRow:
    """Return the row of a member who is admitted or changed, and whose earlier links have ended."""
    _lock_admins(session)
    row = session.scalar(_locked(email))
    if row is None or row.removed_at is not None:
        row = _admitted(session, email, role, now)
    if role is not None or may_export is not None:
        _change(session, row, role or row.role, may_export)
    session.execute(delete(StaffInvitation).where(StaffInvitation.staff_id == row.id))
    audit.record(session, by, AuditAction.INVITED, now, details=_rights(row))
    return row


def _admitted(session: Session, email: str, role: StaffRole | None, now: datetime) -> StaffRow:
    """Return the row of a new member, or of one who was removed before."""
    if role is None:
        raise StaffRefusal("there is no such member; give a role to invite one", "role")
    values = {"role": role, "may_export": False, "created_at": now, "removed_at": None}
    new = {"id": uuid4(), "email": _normal(email), **values}
    queries.insert_missing(session, StaffRow, [new])  # A click may be sent twice.
    row = session.scalars(_locked(email)).one()
    for name, value in values.items():
        setattr(row, name, value)
    _forget_credentials(session, row)  # One may have been added while the member was removed.
    session.flush()
    return row


def _forget_credentials(session: Session, row: StaffRow) -> None:
    """Delete all with which a member can sign in or is signed in."""
    row.issuer = row.subject = None
    for table in (StaffPasskey, StaffInvitation, StaffSession):
        session.execute(delete(table).where(table.staff_id == row.id))


def _locked(email: str) -> Select[StaffRow]:
    """Return the statement for the row of a member, which may be removed."""
    return select(StaffRow).where(StaffRow.email == _normal(email)).with_for_update()


def _change(session: Session, row: StaffRow, role: StaffRole, may_export: bool | None) -> None:
    if row.role is StaffRole.ADMIN and role is not StaffRole.ADMIN:
        _refuse_last_admin(session, row)
    row.role = role
    if may_export is not None:
        row.may_export = may_export
    if not row.may_export:
        session.execute(delete(SavedExportRow).where(SavedExportRow.staff_id == row.id))


def _lock_admins(session: Session) -> None:
    """Let no other transaction change members, so that two admins cannot remove each other."""
    admins = select(StaffRow.id).where(_IS_ADMIN)
    session.scalars(admins.order_by(StaffRow.id).with_for_update()).all()


def _refuse_last_admin(session: Session, row: StaffRow) -> None:
    """Refuse if this is the only admin who can sign in. One who is only invited does not count."""
    has_passkey = select(StaffPasskey.id).where(StaffPasskey.staff_id == StaffRow.id).exists()
    can_sign_in = or_(has_passkey, StaffRow.issuer.is_not(None))
    if session.scalars(select(StaffRow.id).where(_IS_ADMIN, can_sign_in)).all() == [row.id]:
        raise StaffRefusal("the last admin stays: another member must sign in as an admin first")


def _rights(row: StaffRow) -> dict[str, Any]:
    """Return what the audit trail says of a member."""
    return {"member": str(row.id), "role": row.role.value, "may_export": row.may_export}


def _row(session: Session, email: str) -> StaffRow:
    known = select(StaffRow).where(StaffRow.email == _normal(email), StaffRow.removed_at.is_(None))
    row = session.scalar(known)
    if row is None:
        raise StaffRefusal("there is no such member")
    return row


def member_of(row: StaffRow, passkeys: int = 0) -> Member:
    """Return a row as a member."""
    return Member(row.id, row.email, row.role, row.may_export, row.created_at, passkeys)


def _normal(email: str) -> str:
    return email.strip().lower()
