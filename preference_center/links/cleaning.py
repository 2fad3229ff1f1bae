"""Find the email address in a text from a file, a program or a person.

The steps are frozen. `docs/link-format.md` specifies them, with test vectors for other
languages.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote
from uuid import UUID

from preference_center.links.addresses import (
    FULL_WIDTH,
    INVISIBLE,
    JOINERS,
    QUOTES,
    fingerprint,
    is_plain,
    normalise,
)

MAX_TEXT = 1000  # characters; also the limit for a cell of a file
PLAIN = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*", re.ASCII)  # There is nothing to clean.
_OTHER_TEXT = "it contains text besides the address"

_OPENING = f'<(["{QUOTES}'
_CLOSING = f'.,;:!?)>"{QUOTES}。．｡，、；：'
_PAIRS = {"'": "'", "`": "`", "*": "*", "}": "{"}  # The opening one may begin a local part.
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
    """A text is not exactly one address. The message says why, and quotes none of the text."""


def clean(text: str) -> str:
    """Return the one address in `text`, with its own spelling.

    Removes surrounding white space, invisible characters, a display name, `mailto:`, quotation
    marks, brackets, comments (RFC 5322 §3.2.2) and the punctuation of a sentence.

    >>> clean("Ada Lovelace <mailto:Ada@Example.org>,")
    'Ada@Example.org'

    Raises:
        UnclearAddressError: the text contains no address, more than one, or other text.
    """
    found = split(text)
    if len(found) > 1:
        raise UnclearAddressError("it contains more than one address")
    return found[0]


def split(text: str) -> list[str]:
    """Return every address in `text` once, cleaned, or raise UnclearAddressError.

    Use it only for unsubscribes: it unsubscribes every address in a cell.
    """
    text = text.strip()
    if len(text) > MAX_TEXT:
        raise UnclearAddressError(f"it is longer than {MAX_TEXT:,} characters")
    if PLAIN.fullmatch(text):
        return [text]
    text = _unwrap(text)
    if "@" not in text:
        raise UnclearAddressError("it has no @")
    if '"' not in text:  # Quoted white space is part of a local part.
        text = " ".join(text.split()).replace(" @", "@").replace("@ ", "@")
    found: dict[str, str] = {}
    for address in _addresses(text):
        found.setdefault(normalise(address), address)
    return list(found.values())


def subscriber_ids(text: str, identity_key: str) -> list[UUID]:
    """Return the subscriber ids that a text may have: the id that it is, or those of an address.

    These are the id of the cleaned address, then that of the text as it is if it is another one:
    earlier imports may have stored it without cleaning it. Raise UnclearAddressError.
    """
    with suppress(ValueError):
        return [UUID(text)]
    return list(dict.fromkeys(fingerprint(each, identity_key) for each in (clean(text), text)))


def subscriber_id(text: str, identity_key: str) -> UUID:
    """Return the subscriber id of the address in `text`, or of `text` itself if it is unclear."""
    try:
        return fingerprint(clean(text), identity_key)
    except UnclearAddressError:
        return fingerprint(text, identity_key)


def _unwrap(text: str) -> str:
    """Return a text without invisible characters, HTML character references and `mailto:`."""
    before = None
    while text != before:
        before = text
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text.translate(INVISIBLE))
        text = _MAILTO.sub(lambda found: unquote(found[1]), text)
        text = text.translate(FULL_WIDTH)
    return text


def _addresses(text: str) -> Iterator[str]:
    """Yield each address. Other words may only be a display name, before an address in brackets."""
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
        raise UnclearAddressError("it contains a control character or a damaged one")
    if JOINERS & set(normalise(address)):
        raise UnclearAddressError("it contains an invisible joiner (U+200C or U+200D)")
    if not _ADDRESS.fullmatch(address) or ".." in address.rpartition("@")[2]:
        raise UnclearAddressError("it is not an address")
    if not is_plain(address):
        raise UnclearAddressError("it contains a character that no address may have")
    return address


def _bare(word: str) -> str:
    """Return a word without the brackets, quotation marks and punctuation around it."""
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
    """Return other addresses that may be meant by `address`.

    A mark in front may belong to the local part or not: Excel, for example, marks text with an
    apostrophe. Use it only for unsubscribes: it unsubscribes every possible address.
    """
    local, _, domain = unquote(address).rpartition("@")
    plain = local[1:-1] if local.startswith('"') and local.endswith('"') else local
    return {f"{each}@{domain}" for each in (plain, plain.lstrip(_MARKS)) if each} - {address}
