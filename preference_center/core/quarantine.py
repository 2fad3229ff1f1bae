"""Mail that came in and that nobody understood: kept for a person to see, once, for two weeks."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from preference_center.store import queries
from preference_center.store.tables import UnreadMail

LONGEST_KEPT = 262_144  # bytes; what matters stands at the front


def keep(session: Session, raw: bytes, why: str, now: datetime) -> None:
    """Keep a message; the same one twice is kept once."""
    row = {
        "digest": hashlib.sha256(raw).digest(),
        "received_at": now,
        "why": why,
        "raw": raw[:LONGEST_KEPT],
    }
    queries.insert_missing(session, UnreadMail, [row])


@dataclass(frozen=True)
class Kept:
    """A message that is kept, but for its bytes: `digest` is the SHA-256 of them all."""

    digest: bytes
    received_at: datetime
    why: str
    size: int


def everything(session: Session) -> list[Kept]:
    """Return what is kept, oldest first."""
    columns = (UnreadMail.digest, UnreadMail.received_at, UnreadMail.why)
    statement = select(*columns, func.length(UnreadMail.raw)).order_by(UnreadMail.received_at)
    return [Kept(*row) for row in session.execute(statement)]


def find(session: Session, digest: str) -> UnreadMail | None:
    """Return the one message whose digest begins with these hexadecimal digits, or None."""
    found = [kept.digest for kept in everything(session) if kept.digest.hex().startswith(digest)]
    return session.get(UnreadMail, found[0]) if digest and len(found) == 1 else None


def forget(session: Session, mail: UnreadMail) -> None:
    """Forget a message that a person has seen."""
    session.execute(delete(UnreadMail).where(UnreadMail.digest == mail.digest))
