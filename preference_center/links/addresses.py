"""Email addresses: cleaning, normal form, subscriber id, and masking.

`clean` takes off what a file, a program or a person has put around an address. `normalise` and
`fingerprint` come after it, never raise, and are frozen. `docs/link-format.md` describes both steps
with vectors, so that another language can follow them.
"""

import hmac
import html
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from urllib.parse import unquote
from uuid import UUID

import idna

# The HTML Living Standard's definition of an email address, its local part widened by RFC 6531.
# A typographic quotation mark at its start, or U+FFFD in it, shows that the text was damaged.
_QUOTES = "“”„‟«»‹›‘’‚‛"
_MAILABLE = re.compile(
    rf"(?![{_QUOTES}])(?!.*\ufffd)" + r"[a-z0-9.!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]{1,64}"
    r"@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
MAX_TEXT = 1000  # characters that `clean` reads; a cell of a file is no longer
_MAX_DOMAIN_LENGTH = 255  # RFC 1035 §2.3.4; a longer one is nobody's, and not worth converting
_MAX_ADDRESS_LENGTH = 254  # RFC 5321 §4.5.3.1.3, less the angle brackets

_OTHER_TEXT = "it holds other text beside the address"

# Removed wherever they occur: they are invisible, and are copied along with text. These are
# Unicode's Default_Ignorable_Code_Point but the joiners, with the blank Braille pattern and the
# interlinear marks.
_INVISIBLE = dict.fromkeys(
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
_JOINERS = {"\u200c", "\u200d"}  # Some scripts tell words apart by them, so they are not removed.
_FULL_WIDTH: dict[int, int] = {0xFF01 + code: 0x21 + code for code in range(0x5E)}
_FULL_WIDTH[0xFE6B] = ord("@")

_OPENING = f'<(["{_QUOTES}'
_CLOSING = f'.,;:!?)>"{_QUOTES}。．｡，、；：'
_PAIRS = {"'": "'", "`": "`", "*": "*", "}": "{"}  # The first of a pair may begin a local part.

_FULL_STOPS = dict.fromkeys((0x3002, 0xFF0E, 0xFF61), ".")  # They divide a domain (UTS 46).
_MARKS = "'`*=+-/#?!^~}|"

_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_MAILTO = re.compile(r"mailto:(?://)?\s*([^\s<>\",;?]+)(?:\?[^\s<>\"',;@]*)?", re.IGNORECASE)
_QUOTED = r'"(?:[^"\\]|\\.){1,64}"'
_PIECE = re.compile(
    rf"(?P<address>{_QUOTED}@[^\s,;<>()\"@]+)|(?P<comment>\([^()@]*\))"
    r"|(?P<open>[<(])|(?P<close>[>)])|(?P<word>[^\s,;<>()]+)"
)
_BETWEEN = re.compile(r"[/|，；、]+")  # Between two addresses, also without white space.
_ADDRESS = re.compile(
    rf"(?:{_QUOTED}|[^\s@()<>\[\]:;,\\\"]+)"
    r"@(?:\[[^\s@\[\]]+\]|[^\s@()<>\[\]:;,\\\"'`/?!#$%&*=+^{|}~]+)"
)


class UnclearAddressError(ValueError):
    """A text is not exactly one address. The message says why, and holds nothing of the text."""


def clean(text: str) -> str:
    """Return the one address that `text` means, or raise UnclearAddressError.

    White space around it, invisible characters, a display name, `mailto:`, quotation marks,
    brackets, comments (RFC 5322 §3.2.2) and the punctuation of a sentence are taken off; the
    address itself keeps its spelling. Cleaning what is clean changes nothing.
    """
    found = split(text)
    if len(found) > 1:
        raise UnclearAddressError("it holds more than one address")
    return found[0]


def split(text: str) -> list[str]:
    """Return every address in `text`, each once and cleaned, or raise UnclearAddressError.

    Only an unsubscribe may use this: a cell that holds two addresses stops both.
    """
    text = text.strip()
    if len(text) > MAX_TEXT:
        raise UnclearAddressError(f"it is longer than {MAX_TEXT:,} characters")
    text = _unwrap(text)
    if "@" not in text:
        raise UnclearAddressError("it has no @")
    if '"' not in text:  # Within quotation marks, white space is part of a local part.
        text = " ".join(text.split()).replace(" @", "@").replace("@ ", "@")
    found: dict[str, str] = {}
    for address in _addresses(text):
        found.setdefault(normalise(address), address)
    return list(found.values())


def subscriber_id(text: str, identity_key: str) -> UUID:
    """Return the subscriber id of the address in `text`; where none is clear, that of `text`."""
    with suppress(UnclearAddressError):
        text = clean(text)
    return fingerprint(text, identity_key)


def _unwrap(text: str) -> str:
    """Return `text` without invisible characters, character references and `mailto:`."""
    before = None
    while text != before:
        before = text
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text.translate(_INVISIBLE))
        text = _MAILTO.sub(lambda found: unquote(found[1]), text)
        text = text.translate(_FULL_WIDTH)
    return text


def _addresses(text: str) -> Iterator[str]:
    """Yield each address. Other words are allowed only as a name before one in brackets."""
    bracket = named = False
    for piece in _PIECE.finditer(text):
        if piece["open"] or piece["close"]:
            bracket = bool(piece["open"])
        for word in _words(piece):
            is_address = "@" in word
            if named and is_address and not bracket:
                raise UnclearAddressError(_OTHER_TEXT)
            if is_address:
                named = False
                yield _checked(word)
            elif any(char.isalnum() for char in word):
                named = True
                if bracket:
                    raise UnclearAddressError(_OTHER_TEXT)
    if named:
        raise UnclearAddressError(_OTHER_TEXT)


def _words(piece: re.Match[str]) -> list[str]:
    if piece["address"]:
        return [piece["address"]]
    word = piece["word"] or ""
    return _BETWEEN.split(word) if word.count("@") > 1 else word.split()


def _checked(word: str) -> str:
    """Return the address in a word, or raise UnclearAddressError."""
    address = _bare(word)
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in address) or "\ufffd" in address:
        raise UnclearAddressError("it holds a control character, or one that was damaged")
    if _JOINERS & set(normalise(address)):
        raise UnclearAddressError("it holds an invisible joiner (U+200C or U+200D)")
    if not _ADDRESS.fullmatch(address) or ".." in address.rpartition("@")[2]:
        raise UnclearAddressError("it is not an address")
    if not _is_plain(address):
        raise UnclearAddressError("it holds a character that no address has")
    return address


def _is_plain(address: str) -> bool:
    """Return True if a text has no character that no address has."""
    return all(map(_is_of_an_address, address.strip().translate(_FULL_STOPS)))


def _is_of_an_address(char: str) -> bool:
    """Return True for ASCII and for letters, digits and marks that `clean` does not take off."""
    if char.isascii() or char in _JOINERS:
        return True
    plain = ord(char) not in _INVISIBLE and ord(char) not in _FULL_WIDTH
    return plain and unicodedata.category(char)[0] in "LNM"


def _bare(word: str) -> str:
    """Return a word without the marks around it."""
    if word.startswith('"') and _ADDRESS.fullmatch(word.rstrip(_CLOSING)):
        return word.rstrip(_CLOSING)
    closing = _CLOSING if "@[" in word else f"{_CLOSING}]"
    before = None
    while word != before:
        before = word
        word = word.lstrip(_OPENING).rstrip(closing)
        if word[-1:] in _PAIRS:
            word = word[:-1].removeprefix(_PAIRS[word[-1]])
    return word


def lookalikes(address: str) -> set[str]:
    """Return other addresses that `address` may mean: one mark in front may not be part of it.

    An apostrophe is how Excel marks text, and each of these marks may begin a local part. Only an
    unsubscribe may use this: it stops all of them.
    """
    local, _, domain = unquote(address).rpartition("@")
    plain = local[1:-1] if local.startswith('"') and local.endswith('"') else local
    return {f"{each}@{domain}" for each in (plain, plain.lstrip(_MARKS)) if each} - {address}


def normalise(address: str) -> str:
    """Return the form of `address` that decides whose it is.

    Trimmed, NFC, lower case, the domain by UTS 46 as A-labels. Dots and plus tags stay: whether
    they tell people apart is the mailbox provider's business.
    """
    text = _fold(address.strip())
    local, at, domain = text.rpartition("@")
    if not at or len(domain) > _MAX_DOMAIN_LENGTH:
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
        len(normal) <= _MAX_ADDRESS_LENGTH
        and _MAILABLE.fullmatch(normal) is not None
        and "=?" not in normal  # in a header it would be decoded into another address
        and _is_plain(address)
        and not _JOINERS & set(normal)
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
