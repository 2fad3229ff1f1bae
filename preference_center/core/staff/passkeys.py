"""Passkeys of members of staff, and the challenges that they answer."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from preference_center.core.errors import StaffRefusal
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction
from preference_center.store.tables import StaffChallenge, StaffPasskey

CHALLENGE_LIFETIME = timedelta(minutes=5)
MAX_NAME_LENGTH = 100
_CHALLENGE_BYTES = 32


@dataclass(frozen=True)
class Passkey:
    """A passkey of a member. `public_key` is a COSE key (RFC 9052, section 7)."""

    id: bytes
    staff_id: UUID
    public_key: bytes
    signatures: int
    name: str
    created_at: datetime
    last_used_at: datetime | None = None


def new_challenge(session: Session, now: datetime) -> bytes:
    """Return a challenge that is answered once, within CHALLENGE_LIFETIME. Delete expired ones."""
    session.execute(delete(StaffChallenge).where(StaffChallenge.expires_at <= now))
    challenge = secrets.token_bytes(_CHALLENGE_BYTES)
    session.add(StaffChallenge(challenge=challenge, expires_at=now + CHALLENGE_LIFETIME))
    return challenge


def take_challenge(session: Session, challenge: bytes, now: datetime) -> bool:
    """Delete a challenge, and return True if it was new and is not expired."""
    taken = delete(StaffChallenge).where(StaffChallenge.challenge == challenge)
    expires_at = session.scalar(taken.returning(StaffChallenge.expires_at))
    return expires_at is not None and expires_at > now


def add(session: Session, passkey: Passkey, now: datetime) -> None:
    """Store a new passkey.

    Raises:
        StaffRefusal: it is on record already.
    """
    # First, for the lock of the trail: the passkey may be sent twice at the same moment.
    details = {"name": passkey.name}
    audit.record(session, passkey.staff_id, AuditAction.PASSKEY_ADDED, now, details=details)
    if session.get(StaffPasskey, passkey.id) is not None:
        raise StaffRefusal("this passkey is in use already")
    session.add(StaffPasskey(**vars(passkey)))
    session.flush()


def find(session: Session, passkey_id: bytes) -> Passkey | None:
    """Return the passkey with this credential id, or None."""
    row = session.get(StaffPasskey, passkey_id, with_for_update=True)
    return _passkey(row) if row is not None else None


def was_used(session: Session, passkey: Passkey, signatures: int, now: datetime) -> None:
    """Record that a passkey has signed, and how often its authenticator says it has.

    Raises:
        StaffRefusal: the count did not rise, so there may be a copy of it (WebAuthn, 6.1.1).
    """
    row = session.get_one(StaffPasskey, passkey.id)
    if (signatures or row.signatures) and signatures <= row.signatures:
        raise StaffRefusal("this passkey may have been copied; use another one")
    row.signatures, row.last_used_at = signatures, now


def list_of(session: Session, staff_id: UUID) -> list[Passkey]:
    """Return a member's passkeys, the oldest first."""
    statement = select(StaffPasskey).where(StaffPasskey.staff_id == staff_id)
    rows = session.scalars(statement.order_by(StaffPasskey.created_at, StaffPasskey.id))
    return [_passkey(row) for row in rows]


def remove(session: Session, staff_id: UUID, passkey_id: bytes, now: datetime) -> None:
    """Remove a passkey of a member.

    Raises:
        StaffRefusal: it is their last one.
    """
    # Locked, so that the last two cannot be removed at the same moment.
    own = select(StaffPasskey).where(StaffPasskey.staff_id == staff_id)
    rows = session.scalars(own.order_by(StaffPasskey.id).with_for_update())
    known = {row.id: row.name for row in rows}
    if passkey_id not in known:
        return
    if len(known) == 1:
        raise StaffRefusal("this is your only passkey; add another one first")
    session.execute(delete(StaffPasskey).where(StaffPasskey.id == passkey_id))
    details = {"name": known[passkey_id]}
    audit.record(session, staff_id, AuditAction.PASSKEY_REMOVED, now, details=details)


def _passkey(row: StaffPasskey) -> Passkey:
    return Passkey(
        row.id,
        row.staff_id,
        row.public_key,
        row.signatures,
        row.name,
        row.created_at,
        row.last_used_at,
    )
