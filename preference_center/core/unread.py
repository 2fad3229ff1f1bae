"""Mail that came in and that nobody understood: kept for a person to see, once, for two weeks."""

import hashlib
from datetime import datetime

from sqlalchemy import delete, select
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


def everything(session: Session) -> list[UnreadMail]:
    """Return what is kept, oldest first."""
    return list(session.scalars(select(UnreadMail).order_by(UnreadMail.received_at)))


def find(session: Session, digest: str) -> UnreadMail | None:
    """Return the message whose digest begins with these hexadecimal digits, or None."""
    return next(
        (mail for mail in everything(session) if mail.digest.hex().startswith(digest)), None
    )


def forget(session: Session, mail: UnreadMail) -> None:
    """Forget a message that a person has seen."""
    session.execute(delete(UnreadMail).where(UnreadMail.digest == mail.digest))
