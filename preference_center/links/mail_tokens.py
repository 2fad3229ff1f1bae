"""Signed local parts of email addresses: the mailto unsubscribe and the bounce return path.

A token is `KIND-TEXT`, 62 characters. KIND is `u` (unsubscribe) or `b` (bounce). TEXT is base32
(RFC 4648 §6), since mail systems may change the case of a local part. The format is frozen;
`docs/link-format.md` specifies it.
"""

import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

from preference_center.links import base32
from preference_center.links.signing import BadLink, signer

_VERSION = b"\x01"
_BODY_BYTES = 22  # the version, the subscriber id and the topic code
_SIGNATURE_BYTES = 15  # 120 bits; more would exceed the 64 octets of a local part (RFC 5321)
_PURPOSES = {"u": "mailto", "b": "bounce"}


@lru_cache(maxsize=256)
def topic_code(topic: str) -> bytes:
    """Return the five bytes that represent the slug `topic` in a token."""
    return hashlib.sha256(topic.encode()).digest()[:5]


def write_mailto(subscriber_id: UUID, topic: str, keys: Sequence[str]) -> str:
    """Return the local part that a mailto unsubscribe is sent to (RFC 2369 §3.2)."""
    return _write("u", subscriber_id, topic, keys)


def write_return_path(subscriber_id: UUID, topic: str, keys: Sequence[str]) -> str:
    """Return the local part that bounces of one subscriber's email are sent to (VERP)."""
    return _write("b", subscriber_id, topic, keys)


def read_mailto(local_part: str, keys: Sequence[str]) -> tuple[UUID, bytes]:
    """Return the subscriber id and the topic code of a mailto unsubscribe, or raise BadLink."""
    kind, subscriber_id, code = read_mail_token(local_part, keys)
    if kind != "u":
        raise BadLink
    return subscriber_id, code


def read_mail_token(local_part: str, keys: Sequence[str]) -> tuple[str, UUID, bytes]:
    """Return the kind (`u` or `b`), subscriber id and topic code of a token, or raise BadLink."""
    if not local_part.isascii():  # lower() maps the Kelvin sign, for example, to an ASCII "k".
        raise BadLink
    kind, _, token = local_part.lower().partition("-")
    if kind not in _PURPOSES:
        raise BadLink
    try:
        raw = base32.decode(token)
    except ValueError as error:
        raise BadLink from error
    body, signature = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
    signatures = (_signature(kind, body, key) for key in reversed(keys))
    signed = any(hmac.compare_digest(each, signature) for each in signatures)
    if not signed or body[:1] != _VERSION:
        raise BadLink
    return kind, UUID(bytes=body[1:17]), body[17:]


def _write(kind: str, subscriber_id: UUID, topic: str, keys: Sequence[str]) -> str:
    body = _VERSION + subscriber_id.bytes + topic_code(topic)
    return f"{kind}-{base32.encode(body + _signature(kind, body, keys[-1]))}"


def _signature(kind: str, body: bytes, key: str) -> bytes:
    return signer(_PURPOSES[kind], key).mac(body)[:_SIGNATURE_BYTES]
