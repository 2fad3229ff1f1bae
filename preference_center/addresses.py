"""An address in its normal form, its fingerprint, and how it is shown.

Nothing here raises: whatever stands in the address column, its owner must be able to leave.
The rule is frozen by the vectors in `docs/link-format.md`, which another language can follow.
"""

import hmac
import re
import unicodedata
from functools import lru_cache
from uuid import UUID

import idna

# The HTML Living Standard's definition of an email address, its local part widened by RFC 6531.
_MAILABLE = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]{1,64}"
    r"@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
_LONGEST_DOMAIN = 255  # RFC 1035 §2.3.4; a longer one is nobody's, and not worth converting
_LONGEST_ADDRESS = 254  # RFC 5321 §4.5.3.1.3, less the angle brackets


def normalise(address: str) -> str:
    """Return the form of `address` that decides whose it is.

    Trimmed, NFC, lower case, the domain by UTS 46 as A-labels. Dots and plus tags stay: whether
    they tell people apart is the mailbox provider's business.
    """
    text = _fold(address.strip())
    local, at, domain = text.rpartition("@")
    if not at or len(domain) > _LONGEST_DOMAIN:
        return text
    return f"{local}{at}{_a_labels(domain)}"


def fingerprint(address: str, identity_key: str) -> UUID:
    """Return the subscriber id of `address`: the first 128 bits of a keyed SHA-256."""
    normal = normalise(address).encode("utf-8", "surrogatepass")
    return UUID(bytes=hmac.digest(identity_key.encode(), normal, "sha256")[:16])


def is_mailable(address: str) -> bool:
    """Tell whether mail can be sent to `address`, by its form alone."""
    normal = normalise(address)
    return (
        len(normal) <= _LONGEST_ADDRESS
        and _MAILABLE.fullmatch(normal) is not None
        and "=?" not in normal  # in a header it would be decoded into another address
        and not any(unicodedata.category(char).startswith(("C", "Z")) for char in normal)
    )


def mask(address: str) -> str:
    """Return `address` as a page shows it: its first character and its domain."""
    local, at, domain = address.strip().rpartition("@")
    return f"{local[:1]}•••@{domain}" if at else "•••"


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


@lru_cache(maxsize=65_536)
def _a_labels(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return domain
