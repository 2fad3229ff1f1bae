"""Signed local parts of email addresses: the mailto unsubscribe and the bounce return path.

A token is `KIND-TEXT`, 62 characters. KIND is `u` (unsubscribe) or `b` (bounce). TEXT is base32
(RFC 4648 §6), since mail systems may change the case of a local part. The format is frozen;
`docs/link-format.md` specifies it.
"""

import hashlib
import hmac
from base64 import b32decode, b32encode
from collections.abc import Sequence
from uuid import UUID

from preference_center.links.signing import BadLink

_VERSION = b"\x01"
_BODY_BYTES = 22  # the version, the subscriber id and the topic code
_SIGNATURE_BYTES = 15  # 120 bits; more would exceed the 64 octets of a local part (RFC 5321)
_PURPOSES = {"u": b"mailto", "b": b"bounce"}


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
        raw = b32decode(token.upper() + "=" * (-len(token) % 8))
    except ValueError as error:
        raise BadLink from error
    body, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    signed = any(hmac.compare_digest(_signature(kind, body, key), signature) for key in keys)
    canonical = b32encode(raw).decode().rstrip("=").lower() == token
    if not (signed and canonical and body[:1] == _VERSION and len(body) == _BODY_BYTES):
        raise BadLink
    return kind, UUID(bytes=body[1:17]), body[17:]


def _write(kind: str, subscriber_id: UUID, topic: str, keys: Sequence[str]) -> str:
    body = _VERSION + subscriber_id.bytes + topic_code(topic)
    token = b32encode(body + _signature(kind, body, keys[-1])).decode().rstrip("=")
    return f"{kind}-{token.lower()}"


def _signature(kind: str, body: bytes, key: str) -> bytes:
    derived = hmac.digest(key.encode(), _PURPOSES[kind], "sha256")
    return hmac.digest(derived, body, "sha256")[:_SIGNATURE_BYTES]
