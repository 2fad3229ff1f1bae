"""The members of staff who use the console, how they sign in, and what they did.

No statement about a subscriber reads these tables.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.core.staff_vocab import AuditAction, StaffRole
from preference_center.store.tables.base import Base, Slug, Word, one_of


class StaffRow(Base):
    """A member of staff. One who was removed keeps the row, so that the audit trail has a name.

    `issuer` and `subject` are the identity at an OpenID provider, if the member has one.
    `figures_at` and `alerts_at` are when the last weekly figures and the last alert were queued for
    a member who wants them, or since when they have been wanted; None if they are not wanted.
    """

    __tablename__ = "staff"
    __table_args__ = (one_of("role", StaffRole), UniqueConstraint("issuer", "subject"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    role: Mapped[StaffRole] = mapped_column(Word(StaffRole))
    may_export: Mapped[bool]
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    issuer: Mapped[str | None]
    subject: Mapped[str | None] = mapped_column(String(255))
    figures_at: Mapped[datetime | None]
    alerts_at: Mapped[datetime | None]


class StaffInvitation(Base):
    """A link with which a member creates a passkey. `digest` is its token's SHA-256."""

    __tablename__ = "staff_invitations"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), index=True)
    expires_at: Mapped[datetime]


class StaffPasskey(Base):
    """A passkey. `public_key` is a COSE key (RFC 9052, section 7), `id` the credential's id."""

    __tablename__ = "staff_passkeys"

    id: Mapped[bytes] = mapped_column(LargeBinary(1023), primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), index=True)
    public_key: Mapped[bytes]
    signatures: Mapped[int] = mapped_column(BigInteger)  # as the authenticator counts them, or 0
    name: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class StaffChallenge(Base):
    """A challenge that a passkey has not answered yet. It is deleted when it is used."""

    __tablename__ = "staff_challenges"

    challenge: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class StaffSignIn(Base):
    """How often a client has asked to sign in since a time, by a keyed digest of its address."""

    __tablename__ = "staff_sign_ins"

    client: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    since: Mapped[datetime] = mapped_column(index=True)
    requests: Mapped[int]


class StaffSession(Base):
    """A session of a member who is signed in. `digest` is the SHA-256 of what the cookie holds."""

    __tablename__ = "staff_sessions"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), index=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class StaffAlarm(Base):
    """What is wrong now: a check by its name, or a mailing by its topic and campaign.

    The row is deleted when it is no longer wrong.
    """

    __tablename__ = "staff_alarms"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    topic: Mapped[str] = mapped_column(Slug, primary_key=True)
    campaign: Mapped[str] = mapped_column(String(40), primary_key=True)
    noticed_at: Mapped[datetime]


class StaffForm(Base):
    """A form that was sent, and the id of what it has created. `digest` is that of the form."""

    __tablename__ = "staff_forms"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    created: Mapped[UUID]
    sent_at: Mapped[datetime] = mapped_column(index=True)


class AuditRow(Base):
    """One action of a member, or of the command line if `staff_id` is None.

    `about` is a subscriber's id, `details` JSON without an address. `hash` seals the row and, by
    its hash, the one before it. There is no foreign key to a subscriber, who may be on another
    server of a sharded engine. Any action can be stored, because later versions add some.
    """

    __tablename__ = "staff_audit"
    __table_args__ = (
        Index(None, "about"),
        Index(None, "staff_id"),
        Index(None, "at"),
    )

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    staff_id: Mapped[UUID | None]
    action: Mapped[AuditAction] = mapped_column(Word(AuditAction, 24))
    about: Mapped[UUID | None]
    details: Mapped[str]
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditHead(Base):
    """The last row of the audit trail. There is one row; a writer holds its lock."""

    __tablename__ = "staff_audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
