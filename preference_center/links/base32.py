"""Base32 (RFC 4648 §6) of 37 bytes as 60 characters, in lower case and without padding.

It is several times as fast as `base64.b32encode` and `base64.b32decode`, which are written in
Python: here, operations on one large integer do the work.
"""

import re

_BYTES = 37
_CHARACTERS = 60
_SPARE_BITS = 4  # 60 characters have 300 bits, 37 bytes have 296
_ALPHABET = b"abcdefghijklmnopqrstuvwxyz234567"
_DIGITS = b"0123456789abcdefghijklmnopqrstuv"  # those of int(text, 32)
_TEXT = re.compile("[a-z2-7]{60}")
_TO_DIGITS = bytes.maketrans(_ALPHABET, _DIGITS)
_TO_ALPHABET = _ALPHABET.ljust(256)  # a table for bytes.translate


def _step(groups: int) -> tuple[int, int, int]:
    """Return the masks and the shift that divide each block of groups of five bits in two.

    A block has 2 * `groups` groups, and starts at each multiple of 16 * `groups` bits. Its upper
    half moves to where the block would be divided if each group had eight bits.
    """
    half = (1 << 5 * groups) - 1
    lower = sum(half << start for start in range(0, 8 * 64, 16 * groups))
    return lower << 5 * groups, 3 * groups, lower


_STEPS = [_step(groups) for groups in (32, 16, 8, 4, 2, 1)]


def encode(raw: bytes) -> str:
    """Return 37 bytes as 60 characters."""
    bits = int.from_bytes(raw, "big") << _SPARE_BITS
    for upper, shift, lower in _STEPS:
        bits = (bits & upper) << shift | bits & lower
    return bits.to_bytes(_CHARACTERS, "big").translate(_TO_ALPHABET).decode()


def decode(text: str) -> bytes:
    """Return the 37 bytes that `encode` wrote as `text`; raise ValueError for any other text."""
    if not _TEXT.fullmatch(text):
        raise ValueError("this is not 60 characters of base32")
    bits = int(text.encode().translate(_TO_DIGITS), 32)
    if bits % (1 << _SPARE_BITS):
        raise ValueError("a spare bit is set")
    return (bits >> _SPARE_BITS).to_bytes(_BYTES, "big")
