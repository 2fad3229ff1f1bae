"""Sign and verify the text of a link, with a key derived for each purpose.

The format is frozen, so that links in old emails keep working. `docs/link-format.md` specifies it.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from uuid import UUID

from itsdangerous import Signer
from itsdangerous.encoding import want_bytes

from preference_center.links.prepared_hmac import PreparedHmac

_VERSION = "1"
_EPOCH = date(1970, 1, 1)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class BadLink(ValueError):
    """A link or mail token that is malformed, wrongly signed or not in canonical form.

    It does not say which of the three: that would only help a forger.
    """


def payload(day: date, subscriber_id: UUID, rest: str) -> str:
    """Return the text of version, day, subscriber and `rest`, to be signed."""
    return f"{_VERSION}.{(day - _EPOCH).days}.{_base64(subscriber_id.bytes).decode()}.{rest}"


def sign(purpose: str, content: str, keys: Sequence[str]) -> str:
    """Return a payload with its signature. The last of `keys` signs."""
    signature = signer(purpose, keys[-1]).get_signature(content)
    return f"{content}.{signature.decode()}"


def unsign(purpose: str, text: str, keys: Sequence[str]) -> tuple[date, UUID, str]:
    """Return the day, subscriber id and rest that were signed with any of `keys`.

    Raises:
        BadLink: `sign` did not write this text for this purpose.
    """
    content, _, signature = text.rpartition(".")
    try:
        _verify(purpose, content.encode(), signature.encode(), keys)
        _, days, subscriber, rest = content.split(".", 3)
        day = _EPOCH + timedelta(days=int(days))
        subscriber_id = UUID(bytes=urlsafe_b64decode(subscriber + "=="))
    except (ValueError, OverflowError) as error:
        raise BadLink from error
    # A day and a subscriber have several spellings: only the canonical one is accepted.
    if payload(day, subscriber_id, rest) != content:
        raise BadLink
    return day, subscriber_id, rest


def _verify(purpose: str, content: bytes, signature: bytes, keys: Sequence[str]) -> None:
    """Raise BadLink unless `signature` is, byte for byte, that of one of `keys`.

    The encoded signatures are compared. Base64 has spare bits, so that others decode to the same.
    """
    signatures = (signer(purpose, key).get_signature(content) for key in reversed(keys))
    if not any(hmac.compare_digest(each, signature) for each in signatures):
        raise BadLink


class PreparedSigner(Signer):
    """A signer for one purpose and key, which derives its key and prepares its HMAC once."""

    def __init__(self, purpose: str, key: str) -> None:
        super().__init__(
            key, salt=purpose, key_derivation="hmac", digest_method=staticmethod(hashlib.sha256)
        )
        self.mac = PreparedHmac(self.derive_key()).digest  # of bytes, under the derived key

    def get_signature(self, value: str | bytes) -> bytes:
        """Return the signature of a value, base64url without padding."""
        return _base64(self.mac(want_bytes(value)))


@lru_cache(maxsize=64)
def signer(purpose: str, key: str) -> PreparedSigner:
    """Return the signer for one purpose and key."""
    return PreparedSigner(purpose, key)


def _base64(raw: bytes) -> bytes:
    """Return bytes as base64url without padding."""
    return b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=")
