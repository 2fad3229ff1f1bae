"""Email addresses: the normal form, the subscriber id, and masking.

`normalise` and `fingerprint` never raise, and they are frozen. `docs/link-format.md` specifies
them, with test vectors for other languages. `cleaning.clean` comes before them.
"""

import re
import unicodedata
from functools import lru_cache
from uuid import UUID

import idna

from preference_center.links.prepared_hmac import prepared

# The HTML Living Standard's definition of an email address, with the local part of RFC 6531.
# A typographic quotation mark at the start or a U+FFFD shows that the text was damaged.
QUOTES = "“”„‟«»‹›‘’‚‛"
_MAILABLE = re.compile(
    rf"(?![{QUOTES}])(?!.*\ufffd)" + r"[a-z0-9.!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]{1,64}"
    r"@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
_MAX_DOMAIN_LENGTH = 255  # RFC 1035 §2.3.4; no domain is longer, so none is converted
_MAX_ADDRESS_LENGTH = 254  # RFC 5321 §4.5.3.1.3, without the angle brackets

# `clean` removes these wherever they occur: they are invisible, and get copied along with text.
# They are Unicode's Default_Ignorable_Code_Point except the joiners, the blank Braille pattern,
# and the interlinear annotation marks.
INVISIBLE = dict.fromkeys(
    (
        *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x200B, 0x200E, 0x200F),
        *(0x2800, 0x3164, 0xFEFF, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        *range(0xFFF0, 0xFFFD),
        *range(0x1BCA0, 0x1BCA4),
        *range(0x1D173, 0x1D17B),
        *range(0xE0000, 0xE1000),
    )
)
JOINERS = {"\u200c", "\u200d"}  # Not removed: in some scripts they distinguish words.
FULL_WIDTH: dict[int, int] = {0xFF01 + code: 0x21 + code for code in range(0x5E)}
FULL_WIDTH[0xFE6B] = ord("@")

_FULL_STOPS = dict.fromkeys((0x3002, 0xFF0E, 0xFF61), ".")  # They separate labels (UTS 46).


def normalise(address: str) -> str:
    """Return the normal form of an address. Two addresses with the same one are one subscriber.

    The text is trimmed, in NFC and in lower case, and the domain is in A-labels (UTS 46). Dots and
    plus tags are kept: their meaning depends on the mailbox provider.

    >>> normalise("Ada@Straße.de")
    'ada@xn--strae-oqa.de'
    """
    if address.isascii():
        return address.strip().lower()  # A domain in ASCII has no other form.
    text = _fold(address.strip())
    local, at, domain = text.rpartition("@")
    if not at or len(domain) > _MAX_DOMAIN_LENGTH:
        return text
    return f"{local}{at}{_a_labels(domain)}"


def fingerprint(address: str, identity_key: str) -> UUID:
    """Return the subscriber id: the first 128 bits of the HMAC-SHA-256 of the normal form."""
    normal = normalise(address).encode("utf-8", "surrogatepass")
    return UUID(bytes=prepared(identity_key.encode()).digest(normal)[:16])


def is_mailable(address: str) -> bool:
    """Return True if the syntax of `address` is one that email can be sent to."""
    normal = normalise(address)
    return (
        len(normal) <= _MAX_ADDRESS_LENGTH
        and _MAILABLE.fullmatch(normal) is not None
        and "=?" not in normal  # A header would decode it into another address.
        and is_plain(address)
        and not JOINERS & set(normal)
    )


def mask(address: str) -> str:
    """Return the first character and the domain of an address, to show on a page.

    >>> mask("ada@example.org")
    'a•••@example.org'
    """
    local, at, domain = address.strip().rpartition("@")
    return f"{local[:1]}•••@{domain}" if at else "•••"


def is_plain(address: str) -> bool:
    """Return True if all characters of a text are allowed in an address."""
    return address.isascii() or all(map(_is_allowed, address.strip().translate(_FULL_STOPS)))


def _is_allowed(char: str) -> bool:
    """Return True for ASCII, and for letters, digits and marks that `clean` does not remove."""
    if char.isascii() or char in JOINERS:
        return True
    plain = ord(char) not in INVISIBLE and ord(char) not in FULL_WIDTH
    return plain and unicodedata.category(char)[0] in "LNM"


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


@lru_cache(maxsize=65_536)
def _a_labels(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return domain
