"""Process each inbound message and event once."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from preference_center.store import sets
from preference_center.store.tables import InboundSeen


def record_new(session: Session, channel: str, names: Iterable[str], now: datetime) -> set[str]:
    """Record inbound items, and return those that were not on record.

    A name must be unique within the channel: an event's id, or the digest of a message.
    """
    digests = {_digest(channel, name): name for name in names}
    rows = [(digest, now) for digest in sorted(digests)]
    new = sets.insert_new(session, InboundSeen, rows)
    return {digests[digest] for digest in new}


def _digest(channel: str, name: str) -> bytes:
    # A recipient may contain any bytes.
    item = f"{channel}\n{name}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(item).digest()
