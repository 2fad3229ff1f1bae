"""Keys of the JSON API: 256 random bits, shown once and stored as SHA-256.

A key is `pc_live_` or `pc_test_`, 43 characters of base62 for the bits, and 6 for a CRC-32 of
what precedes them. The checksum lets a scanner of leaked secrets recognize a key, and refuses a
mistyped one without the database.
"""

import hashlib
import secrets
import string
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid4
from zlib import crc32

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.store.tables import ApiKeyRow

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_BYTES = 32
_SECRET_LENGTH, _CHECKSUM_LENGTH = 43, 6
_PREFIX_LENGTH = 12  # the kind and four characters
MAX_NAME_LENGTH = 100


@dataclass(frozen=True)
class ApiKey:
    """A key on record, without its secret."""

    id: UUID
    name: str
    kind: ApiKeyKind
    prefix: str
    scopes: frozenset[ApiScope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_on: date | None

    def is_valid(self, now: datetime) -> bool:
        """Return True if the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def create(
    session: Session,
    name: str,
    kind: ApiKeyKind,
    scopes: Collection[ApiScope],
    now: datetime,
    expires_at: datetime | None = None,
    secret: bytes | None = None,
) -> tuple[ApiKey, str]:
    """Record a new key, and return it with its text, which cannot be read again.

    The text is that of `new_text`.
    """
    text = new_text(kind, secret)
    row = ApiKeyRow(
        id=uuid4(),
        name=name,
        kind=kind,
        prefix=text[:_PREFIX_LENGTH],
        digest=_digest(text),
        scopes=" ".join(sorted(set(scopes))),
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return _key(row), text


def new_text(kind: ApiKeyKind, secret: bytes | None = None) -> str:
    """Return the text of a new key, of 32 secret bytes, by default random ones."""
    number = int.from_bytes(secret or secrets.token_bytes(_SECRET_BYTES))
    body = f"pc_{kind}_{_base62(number, _SECRET_LENGTH)}"
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """Return True if a text has the form of a key, its checksum included."""
    kind = text[3:].partition("_")[0]
    body, checksum = text[:-_CHECKSUM_LENGTH], text[-_CHECKSUM_LENGTH:]
    return (
        text.isascii()
        and kind in list(ApiKeyKind)
        and len(body) == len(f"pc_{kind}_") + _SECRET_LENGTH
        and _checksum(body) == checksum
    )


def find(session: Session, text: str, now: datetime) -> ApiKey | None:
    """Return the valid key with this text, or None."""
    row = session.scalar(select(ApiKeyRow).where(ApiKeyRow.digest == _digest(text)))
    key = _key(row) if row is not None else None
    return key if key is not None and key.is_valid(now) else None


def was_used(session: Session, key: ApiKey, now: datetime) -> None:
    """Record the day on which a key is used."""
    day = now.date()
    unused = ApiKeyRow.last_used_on.is_distinct_from(day)
    used = update(ApiKeyRow).where(ApiKeyRow.id == key.id, unused)
    session.execute(used.values(last_used_on=day))


def list_all(session: Session) -> list[ApiKey]:
    """Return all keys, the newest first."""
    return [_key(row) for row in _rows(session)]


def revoke(session: Session, prefix_or_id: str, now: datetime) -> list[ApiKey]:
    """Revoke the keys with this visible prefix, or the one with this id; return them.

    A key that was revoked before keeps its time.
    """
    found = [each for each in _rows(session) if prefix_or_id in (each.prefix, str(each.id))]
    for each in found:
        each.revoked_at = each.revoked_at or now
    return [_key(each) for each in found]


def _rows(session: Session) -> list[ApiKeyRow]:
    statement = select(ApiKeyRow).order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.id)
    return list(session.scalars(statement))


def _key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        kind=row.kind,
        prefix=row.prefix,
        scopes=frozenset(map(ApiScope, row.scopes.split())),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_on=row.last_used_on,
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
