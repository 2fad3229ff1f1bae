"""Keys of the API: what is stored, what is refused, and what is remembered."""

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from preference_center.core import api_keys
from preference_center.core.api_keys import ApiKey
from preference_center.core.api_vocab import ApiKeyKind, ApiScope
from preference_center.store import Database
from preference_center.store.tables import ApiKeyRow, row_values
from tests.support import make

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def create(session: Session, **changes: Any) -> tuple[ApiKey, str]:
    fields: dict[str, Any] = {"expires_at": None, **changes}
    scopes = [ApiScope.LINKS, ApiScope.AUDIENCE]
    return api_keys.create(session, "shop", ApiKeyKind.LIVE, scopes, make.NOW, **fields)


@pytest.mark.parametrize("kind", ApiKeyKind)
def test_a_key_has_256_random_bits_and_a_checksum(kind: ApiKeyKind) -> None:
    texts = {api_keys.new_text(kind) for _ in range(100)}
    assert len(texts) == 100
    for text in texts:
        assert re.fullmatch(rf"pc_{kind}_[0-9A-Za-z]{{49}}", text)
        assert api_keys.is_well_formed(text)
    # 62 to the power of 43 is more than 2 to the power of 256: the longest number fits.
    assert 62**43 > 2**256


def test_any_changed_character_is_refused() -> None:
    text = api_keys.new_text(ApiKeyKind.LIVE)
    for place in range(len(text)):
        other = "x" if text[place] != "x" else "y"
        assert not api_keys.is_well_formed(text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize(
    "text",
    ["", "pc_", "pc_live_", "pc_live_é", "pc_live_" + "a" * 49, "pc_live__" + "a" * 48, "\udc00"],
)
def test_a_text_that_is_no_key_is_not_well_formed(text: str) -> None:
    assert not api_keys.is_well_formed(text)


def test_only_the_digest_of_a_key_is_stored(database: Database) -> None:
    with database.transaction() as session:
        key, text = create(session)
        row = row_values(session.query(ApiKeyRow).one())
    assert row["digest"] == hashlib.sha256(text.encode()).digest()
    assert row["prefix"] == key.prefix == text[:12]
    assert text[12:] not in repr(row)


def test_a_key_is_found_by_its_text_alone(database: Database) -> None:
    with database.transaction() as session:
        key, text = create(session)
        create(session)
        assert api_keys.find(session, text, make.NOW) == key
        assert api_keys.find(session, text[:-1], make.NOW) is None
        assert key.scopes == {ApiScope.LINKS, ApiScope.AUDIENCE}


def test_a_key_is_refused_from_its_expiry_on(database: Database) -> None:
    with database.transaction() as session:
        _, text = create(session, expires_at=make.NOW + DAY)
        assert api_keys.find(session, text, make.NOW + DAY - SECOND) is not None
        assert api_keys.find(session, text, make.NOW + DAY) is None


def test_a_revoked_key_is_refused_and_the_others_are_not(database: Database) -> None:
    with database.transaction() as session:
        (first, text), (_, other) = create(session), create(session)
        assert [each.id for each in api_keys.revoke(session, str(first.id), make.NOW)] == [first.id]
    with database.transaction() as session:
        assert api_keys.find(session, text, make.NOW) is None
        assert api_keys.find(session, other, make.NOW) is not None


def test_a_key_that_was_revoked_before_keeps_its_time(database: Database) -> None:
    with database.transaction() as session:
        key, _ = create(session)
        api_keys.revoke(session, key.prefix, make.NOW)
        (revoked,) = api_keys.revoke(session, key.prefix, make.NOW + DAY)
        assert revoked.revoked_at == make.NOW


def test_part_of_a_prefix_revokes_nothing(database: Database) -> None:
    with database.transaction() as session:
        create(session)
        assert api_keys.revoke(session, "pc_live_", make.NOW) == []


def test_the_day_of_the_last_use_is_kept(database: Database) -> None:
    with database.transaction() as session:
        key, _ = create(session)
        api_keys.was_used(session, key, make.NOW)
        api_keys.was_used(session, key, make.NOW + DAY)
    with database.reading() as session:
        (found,) = api_keys.list_all(session)
        assert found.last_used_on == (make.NOW + DAY).date()


def test_the_newest_key_is_listed_first(database: Database) -> None:
    with database.transaction() as session:
        create(session)
        later = api_keys.create(
            session, "later", ApiKeyKind.TEST, [ApiScope.LINKS], make.NOW + DAY
        )[0]
        assert api_keys.list_all(session)[0] == later
