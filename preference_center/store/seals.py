"""The seal of a ledger row: an HMAC over the hash before it and the row.

The row holds a salted digest of what an erasure deletes: topic, campaign, wording and details.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from preference_center.store.tables import LedgerDetail, LedgerRow

FIRST_HEAD = bytes(32)

# Frozen: existing rows do not seal a column that is added later.
_SEALED = (
    "subscriber_id",
    "seq",
    "event",
    "scope",
    "source",
    "occurred_at",
    "recorded_at",
    "digest",
)
_ERASABLE = ("topic", "campaign", "wording")
STATED_SOURCE = "stated_source"  # Beside the keys of a snapshot, in the details' `after`.


def seal(row: LedgerRow, head: bytes, key: str) -> bytes:
    """Return the hash of `row` after the row whose hash is `head`, 32 bytes."""
    values = {name: _plain(getattr(row, name)) for name in _SEALED}
    return hmac.digest(key.encode(), b"ledger\n" + head + canonical_json(values).encode(), "sha256")


def digest(row: LedgerRow, details: LedgerDetail) -> bytes:
    """Return the salted digest of what an erasure deletes from `row`, 32 bytes."""
    erasable = {name: _plain(getattr(row, name)) for name in _ERASABLE}
    text = "\n".join((canonical_json(erasable), details.before, details.after))
    return hashlib.sha256(details.salt + text.encode()).digest()


def canonical_json(value: Mapping[str, Any]) -> str:
    """Return the canonical JSON text of `value`, as seals and details use it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value
