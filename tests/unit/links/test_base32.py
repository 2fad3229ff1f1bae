"""Base32 of mail tokens, compared with the standard library."""

from base64 import b32encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.links import base32


@given(st.binary(min_size=37, max_size=37))
def test_bytes_are_encoded_as_the_standard_library_encodes_them(raw: bytes) -> None:
    text = base32.encode(raw)
    assert text == b32encode(raw).decode().rstrip("=").lower()
    assert base32.decode(text) == raw


@pytest.mark.parametrize("place", range(60))
def test_every_bit_has_its_place(place: int) -> None:
    text = "a" * place + "h" + "a" * (59 - place)
    if place == 59:
        text = text.replace("h", "q")  # The last character has one bit; the others are spare.
    assert base32.encode(base32.decode(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "a" * 59, "a" * 61, "A" * 60, "a" * 59 + "1", "a" * 59 + "b", "a" * 59 + "\n", "_a" * 30],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not 60 characters|spare bit"):
        base32.decode(text)
