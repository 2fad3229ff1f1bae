"""Encrypt texts in the database with the SERVER_KEYS of a session.

The newest key encrypts, and all decrypt. A text says which format it has (Fernet: AES-128-CBC and
HMAC-SHA-256), not which key. The keys are derived from those that sign and seal.
"""

import hmac
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from preference_center.core.vocab import KeyKind

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

# It begins with a NUL, like the labels of check values.
_LABEL = b"\0preference-center encryption"


class UndecipherableError(Exception):
    """A text was encrypted with a key that is no longer in SERVER_KEYS."""


def encrypt(session: Session, text: str) -> str:
    return _keys(session).encrypt(text.encode()).decode()


def decrypt(session: Session, text: str) -> str:
    """Return what was encrypted, or raise UndecipherableError."""
    from cryptography.fernet import InvalidToken

    try:
        return _keys(session).decrypt(text.encode()).decode()
    except InvalidToken:
        raise UndecipherableError("no key in SERVER_KEYS fits") from None


def _keys(session: Session) -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet  # This takes 30 ms.

    newest_first = reversed(session.info["keys"][KeyKind.SERVER])
    derived = (hmac.digest(key.encode(), _LABEL, "sha256") for key in newest_first)
    return MultiFernet([Fernet(urlsafe_b64encode(each)) for each in derived])
