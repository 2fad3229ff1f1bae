"""PreparedHmac against the standard library's HMAC."""

import hmac

from hypothesis import example, given
from hypothesis import strategies as st

from preference_center.links.prepared_hmac import PreparedHmac


@given(st.binary(max_size=200), st.lists(st.binary(max_size=300), min_size=1, max_size=3))
@example(bytes(64), [b""])
@example(bytes(65), [b"a message"])
def test_each_message_has_its_hmac(key: bytes, messages: list[bytes]) -> None:
    prepared = PreparedHmac(key)
    for message in messages:
        assert prepared.digest(message) == hmac.digest(key, message, "sha256")
