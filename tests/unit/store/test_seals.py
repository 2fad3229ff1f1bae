"""The texts that seals and digests cover are frozen: rows on record were sealed with them."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from preference_center.core.vocab import Event, Scope, Source
from preference_center.store import seals

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
BYTES = st.binary(min_size=32, max_size=32)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=ZONES)  # noqa: DTZ001
WORDS = {"event": Event, "scope": Scope, "source": Source}
ROWS = st.fixed_dictionaries(
    {
        "subscriber_id": st.uuids(),
        "seq": st.integers(1, 2**31),
        **{name: st.sampled_from(vocabulary) for name, vocabulary in WORDS.items()},
        "occurred_at": TIMES,
        "recorded_at": TIMES,
        "digest": BYTES,
    }
)
ERASABLE = st.fixed_dictionaries(
    {
        "topic": st.none() | TEXTS,
        "campaign": st.none() | TEXTS,
        "wording": st.none() | st.just(b"") | BYTES,
    }
)


def _canonical_json(values: dict[str, Any]) -> str:
    plain = {name: _plain(value) for name, value in values.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value


@given(key=BYTES, head=BYTES, row=ROWS)
def test_a_seal_covers_the_canonical_json_of_a_row(
    key: bytes, head: bytes, row: dict[str, Any]
) -> None:
    text = b"ledger\n" + head + _canonical_json(row).encode()
    assert seals.seal(key, head, **row) == hmac.digest(key, text, "sha256")
    words = {name: str(row[name]) for name in WORDS}
    assert seals.seal(key, head, **{**row, **words}) == hmac.digest(key, text, "sha256")


@given(salt=BYTES, erasable=ERASABLE, before=TEXTS, after=TEXTS)
def test_a_digest_covers_the_canonical_json_of_what_can_be_erased(
    salt: bytes, erasable: dict[str, Any], before: str, after: str
) -> None:
    text = "\n".join((_canonical_json(erasable), before, after))
    found = seals.digest(salt, **erasable, before=before, after=after)
    assert found == hashlib.sha256(salt + text.encode()).digest()


def test_a_seal_of_a_row_on_record_stays_valid() -> None:
    at = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
    digest = seals.digest(bytes(16), "weekly-news", "2026-47", None, "{}", '{"all":null}')
    assert digest.hex() == ("1c3ab4fdc86422e8423bc22d9823b188a92a006c7b58f08d2400c8d4f8e60d4d")
    row = (UUID(int=1), 1, Event.UNSUBSCRIBED, Scope.TOPIC, Source.PAGE, at, at, digest)
    assert seals.seal(b"key", seals.FIRST_HEAD, *row).hex() == (
        "e23031f7c337b42afdf2efbef06fdaa7275e731d31987a3f91cf17161c811f45"
    )
