"""Keep inbound messages that could not be processed, for an operator to look at."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from preference_center.store import queries
from preference_center.store.tables import QuarantineRow

MAX_STORED_BYTES = 262_144  # Headers and the first parts are enough to judge a message.


def keep(session: Session, raw: bytes, why: str, now: datetime) -> None:
    """Store a message, only once if it is repeated. `why` says why it was not processed."""
    row = {
        "digest": hashlib.sha256(raw).digest(),
        "received_at": now,
        "why": why,
        "raw": raw[:MAX_STORED_BYTES],
    }
    queries.insert_missing(session, QuarantineRow, [row])


@dataclass(frozen=True)
class QuarantinedMessage:
    """A stored message without its bytes; `digest` is the SHA-256 of all of them."""

    digest: bytes
    received_at: datetime
    why: str
    size: int


def list_all(session: Session) -> list[QuarantinedMessage]:
    """Return all stored messages, oldest first."""
    columns = (QuarantineRow.digest, QuarantineRow.received_at, QuarantineRow.why)
    statement = select(*columns, func.length(QuarantineRow.raw)).order_by(QuarantineRow.received_at)
    return [QuarantinedMessage(*row) for row in session.execute(statement)]


def find(session: Session, digest: str) -> QuarantineRow | None:
    """Return the one message whose digest begins with these hexadecimal digits, or None."""
    found = [each.digest for each in list_all(session) if each.digest.hex().startswith(digest)]
    return session.get(QuarantineRow, found[0]) if digest and len(found) == 1 else None


def delete_message(session: Session, message: QuarantineRow) -> None:
    """Delete a stored message."""
    session.execute(delete(QuarantineRow).where(QuarantineRow.digest == message.digest))
