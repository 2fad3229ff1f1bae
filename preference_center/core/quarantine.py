"""Mail that came in and that nobody understood: kept for a person to see, once, for two weeks."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from preference_center.store import queries
from preference_center.store.tables import QuarantineRow

MAX_STORED_BYTES = 262_144  # bytes; what matters stands at the front


def keep(session: Session, raw: bytes, why: str, now: datetime) -> None:
    """Keep a message; the same one twice is kept once."""
    row = {
        "digest": hashlib.sha256(raw).digest(),
        "received_at": now,
        "why": why,
        "raw": raw[:MAX_STORED_BYTES],
    }
    queries.insert_missing(session, QuarantineRow, [row])


@dataclass(frozen=True)
class QuarantinedMessage:
    """A message that is kept, but for its bytes: `digest` is the SHA-256 of them all."""

    digest: bytes
    received_at: datetime
    why: str
    size: int


def list_all(session: Session) -> list[QuarantinedMessage]:
    """Return what is kept, oldest first."""
    columns = (QuarantineRow.digest, QuarantineRow.received_at, QuarantineRow.why)
    statement = select(*columns, func.length(QuarantineRow.raw)).order_by(QuarantineRow.received_at)
    return [QuarantinedMessage(*row) for row in session.execute(statement)]


def find(session: Session, digest: str) -> QuarantineRow | None:
    """Return the one message whose digest begins with these hexadecimal digits, or None."""
    found = [kept.digest for kept in list_all(session) if kept.digest.hex().startswith(digest)]
    return session.get(QuarantineRow, found[0]) if digest and len(found) == 1 else None


def forget(session: Session, mail: QuarantineRow) -> None:
    """Forget a message that a person has seen."""
    session.execute(delete(QuarantineRow).where(QuarantineRow.digest == mail.digest))
