"""Process each inbound message and event once."""

import hashlib
from datetime import datetime

from sqlalchemy.orm import Session

from preference_center.store import queries


def record_if_new(session: Session, channel: str, name: str, now: datetime) -> bool:
    """Record an inbound item; return False if it was already recorded.

    `name` must be unique within the channel: an event's id, or the digest of a message.
    """
    # A recipient may contain any bytes.
    item = f"{channel}\n{name}".encode("utf-8", "surrogateescape")
    return queries.insert_seen(session, hashlib.sha256(item).digest(), now)
