"""Sign and read the text of a link: one format, a derived key for each purpose.

The format is frozen: links sent years ago must work. `docs/link-format.md` describes it.
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
    """A link or mailto token that is malformed, wrongly signed or not in its canonical form.

    Which of the three is never said: the answer would help a forger only.
    """


def sign(purpose: str, day: date, subscriber: UUID, rest: str, keys: Sequence[str]) -> str:
    """Return a signed text: version, day, person, then `rest`, under the last of `keys`."""
    person = urlsafe_b64encode(subscriber.bytes).decode().rstrip("=")
    payload = f"{_VERSION}.{(day - _EPOCH).days}.{person}.{rest}"
    return signer(purpose, keys).sign(payload).decode()


def unsign(purpose: str, text: str, keys: Sequence[str]) -> tuple[date, UUID, str]:
    """Return what `sign` was given, or raise BadLink."""
    try:
        payload = signer(purpose, keys).unsign(text).decode()
        version, days, person, rest = payload.split(".", 3)
        day = _EPOCH + timedelta(days=int(days))
        subscriber = UUID(bytes=urlsafe_b64decode(person + "=="))
    except (BadData, ValueError, OverflowError) as error:
        raise BadLink from error
    # Base64 has spare bits, so more than one text verifies: only the one we wrote is accepted.
    if version != _VERSION or text not in _all_signed(purpose, day, subscriber, rest, keys):
        raise BadLink
    return day, subscriber, rest


def _all_signed(
    purpose: str, day: date, subscriber: UUID, rest: str, keys: Sequence[str]
) -> list[str]:
    return [sign(purpose, day, subscriber, rest, [key]) for key in keys]


def signer(purpose: str, keys: Sequence[str]) -> Signer:
    """Return what signs a text for one purpose; the last of `keys` signs, all are accepted."""
    return Signer(
        list(keys), salt=purpose, key_derivation="hmac", digest_method=staticmethod(hashlib.sha256)
    )
