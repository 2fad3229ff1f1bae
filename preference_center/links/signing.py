"""Sign and verify the text of a link, with a key derived for each purpose.

The format is frozen, so that links in old emails keep working. `docs/link-format.md` specifies it.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID

from itsdangerous import BadData, Signer

_VERSION = "1"
_EPOCH = date(1970, 1, 1)


class BadLink(ValueError):
    """A link or mail token that is malformed, wrongly signed or not in canonical form.

    It does not say which of the three: that would only help a forger.
    """


def sign(purpose: str, day: date, subscriber_id: UUID, rest: str, keys: Sequence[str]) -> str:
    """Return the signed text of version, day, subscriber and `rest`. The last of `keys` signs."""
    subscriber = urlsafe_b64encode(subscriber_id.bytes).decode().rstrip("=")
    payload = f"{_VERSION}.{(day - _EPOCH).days}.{subscriber}.{rest}"
    return signer(purpose, keys).sign(payload).decode()


def unsign(purpose: str, text: str, keys: Sequence[str]) -> tuple[date, UUID, str]:
    """Return the day, subscriber id and rest that were signed with any of `keys`.

    Raises:
        BadLink: `sign` did not write this text for this purpose.
    """
    try:
        payload = signer(purpose, keys).unsign(text).decode()
        version, days, subscriber, rest = payload.split(".", 3)
        day = _EPOCH + timedelta(days=int(days))
        subscriber_id = UUID(bytes=urlsafe_b64decode(subscriber + "=="))
    except (BadData, ValueError, OverflowError) as error:
        raise BadLink from error
    # Base64 has spare bits, so several texts verify: only the canonical one is accepted.
    if version != _VERSION or text not in _all_signed(purpose, day, subscriber_id, rest, keys):
        raise BadLink
    return day, subscriber_id, rest


def _all_signed(
    purpose: str, day: date, subscriber_id: UUID, rest: str, keys: Sequence[str]
) -> list[str]:
    return [sign(purpose, day, subscriber_id, rest, [key]) for key in keys]


def signer(purpose: str, keys: Sequence[str]) -> Signer:
    """Return the signer for one purpose. The last of `keys` signs; all of them verify."""
    return Signer(
        list(keys), salt=purpose, key_derivation="hmac", digest_method=staticmethod(hashlib.sha256)
    )
