"""The seal of a ledger row: an HMAC over the hash before it and the row.

The row holds a salted digest of what an erasure deletes: topic, campaign, wording and details.

The texts that a seal and a digest cover are canonical JSON. They are frozen: a column that is added
later is not sealed. They are written directly, because only topic and campaign can hold a character
that JSON escapes.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

from preference_center.links.prepared_hmac import prepared

FIRST_HEAD = bytes(32)
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

STATED_SOURCE = "stated_source"  # Beside the keys of a snapshot, in the details' `after`.


def seal(
    key: bytes,
    head: bytes,
    subscriber_id: UUID,
    seq: int,
    event: str,
    scope: str,
    source: str,
    occurred_at: datetime,
    recorded_at: datetime,
    digest: bytes,
) -> bytes:
    """Return the hash of a row that follows the row whose hash is `head`, 32 bytes."""
    times = (_utc(occurred_at), _utc(recorded_at))
    return seal_texts(key, head, str(subscriber_id), seq, event, scope, source, *times, digest)


def seal_texts(
    key: bytes,
    head: bytes,
    subscriber_id: str,
    seq: int,
    event: str,
    scope: str,
    source: str,
    occurred_at: str,
    recorded_at: str,
    digest: bytes,
) -> bytes:
    """Return what `seal` returns, from the id and the times as texts.

    A time is `2026-11-22T14:05:00.000000+00:00`.
    """
    text = (
        f'{{"digest":"{digest.hex()}","event":"{event}","occurred_at":"{occurred_at}",'
        f'"recorded_at":"{recorded_at}","scope":"{scope}","seq":{seq},'
        f'"source":"{source}","subscriber_id":"{subscriber_id}"}}'
    )
    return prepared(key).digest(b"ledger\n" + head + text.encode())


def digest(
    salt: bytes,
    topic: str | None,
    campaign: str | None,
    wording: bytes | None,
    before: str,
    after: str,
) -> bytes:
    """Return the salted digest of what an erasure deletes from a row, 32 bytes.

    `wording` is the digest of a wording, `before` and `after` are the texts of the row's details.
    """
    text = (
        f'{{"campaign":{_quoted(campaign)},"topic":{_quoted(topic)},'
        f'"wording":{_quoted(None if wording is None else wording.hex())}}}\n{before}\n{after}'
    )
    return hashlib.sha256(salt + text.encode()).digest()


def canonical_json(value: Mapping[str, Any]) -> str:
    """Return the canonical JSON text of `value`, as details use it."""
    return _canonical.encode(value)


@lru_cache(1024)  # The rows of a batch repeat a few times.
def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _quoted(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)
