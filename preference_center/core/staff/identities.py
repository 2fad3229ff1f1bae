"""The identities with which members sign in at an OpenID provider."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from preference_center.core.errors import StaffRefusal
from preference_center.core.staff import audit
from preference_center.core.staff.members import Member, member_of
from preference_center.core.staff_vocab import AuditAction
from preference_center.store.tables import StaffRow


@dataclass(frozen=True)
class Identity:
    """Who an OpenID provider says that a person is (OpenID Connect Core 1.0, section 5.7)."""

    issuer: str
    subject: str


def bind(session: Session, member: Member, identity: Identity, now: datetime) -> None:
    """Let a member sign in with an identity, in place of the one that they had.

    Raises:
        StaffRefusal: another member has it.
    """
    # First, for the lock of the trail: two members may try it at the same moment.
    audit.record(session, member.id, AuditAction.IDENTITY_BOUND, now)
    other = known_as(session, identity)
    if other is not None and other.id != member.id:
        raise StaffRefusal("another member signs in with this account")
    row = session.get_one(StaffRow, member.id)
    row.issuer, row.subject = identity.issuer, identity.subject
    session.flush()


def known_as(session: Session, identity: Identity) -> Member | None:
    """Return the member who signs in with an identity, or None."""
    row = session.scalar(
        select(StaffRow).where(
            StaffRow.issuer == identity.issuer, StaffRow.subject == identity.subject
        )
    )
    return member_of(row) if row is not None else None
