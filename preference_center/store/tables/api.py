"""Keys of the JSON API, and the answers to requests with an `Idempotency-Key`."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.core.api_vocab import ApiKeyKind
from preference_center.store.tables.base import Base, Word, one_of


class ApiKeyRow(Base):
    """A key of the API, without its secret: `digest` is the SHA-256 of the whole key.

    `prefix` is the visible part of the key; `scopes` are separated by spaces.
    """

    __tablename__ = "api_keys"
    __table_args__ = (one_of("kind", ApiKeyKind),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[ApiKeyKind] = mapped_column(Word(ApiKeyKind, 8))
    prefix: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    scopes: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_on: Mapped[date | None]


class IdempotentRequest(Base):
    """A write with an `Idempotency-Key`: in flight until `lease_until`, or answered.

    `etag` is the header of the answer, if it has one. `about` is the subscriber in it, if there is
    one: erasing them deletes the row. There are no foreign keys, because the table is not divided
    by subscriber on a sharded engine, and keys are never deleted.
    """

    __tablename__ = "idempotent_requests"
    __table_args__ = (Index(None, "created_at"), Index(None, "about"))

    api_key: Mapped[UUID] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(String(100), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]
    lease: Mapped[UUID]
    lease_until: Mapped[datetime]
    status: Mapped[int | None]
    body: Mapped[str | None]
    etag: Mapped[str | None]
    about: Mapped[UUID | None]
