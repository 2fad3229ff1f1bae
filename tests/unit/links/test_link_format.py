"""The frozen link format: the code agrees with `docs/link-format.md`, and the page is complete."""

import base64
import hashlib
import hmac
import json
import re
import sys
import unicodedata
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from preference_center.links import mail_tokens, minter, server
from preference_center.links.addresses import fingerprint, normalise
from preference_center.links.cleaning import UnclearAddressError, clean
from preference_center.links.signing import BadLink
from tests.support import make

PAGE = (Path(__file__).parents[3] / "docs" / "link-format.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```json ([a-z-]+)\n(.*?)\n```", PAGE, re.DOTALL)
VECTORS: dict[str, Any] = {name: json.loads(text) for name, text in BLOCKS}
KEYS = VECTORS["keys"]
LINK_KEYS: list[str] = KEYS["link_keys"]

Vector = dict[str, Any]


def vectors(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[name])


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def signed(purpose: str, key: str, day: str, subscriber: str, rest: str) -> str:
    """Mint a link using only the rules on the page."""
    days = date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal()
    payload = f"1.{days}.{base64url(bytes.fromhex(subscriber.replace('-', '')))}.{rest}"
    derived = hmac_sha256(key.encode(), purpose.encode())
    return f"{payload}.{base64url(hmac_sha256(derived, payload.encode()))}"


def test_the_page_has_every_kind_of_vector() -> None:
    rows = {name: len(vector) for name, vector in VECTORS.items()}
    assert rows.keys() == {
        *("keys", "cleaned", "addresses", "links", "accepted", "refused", "receipts"),
        *("confirms", "refused-confirms", "signed-ins", "refused-signed-ins"),
        *("accounts", "refused-accounts"),
        *("sign-ups", "refused-sign-ups"),
        *("mailto", "refused-mailto", "return-paths", "headers", "list-ids"),
    }
    assert rows["addresses"] >= 30
    assert rows["refused"] >= 10


@vectors("cleaned")
def test_a_text_is_cleaned_as_the_page_says(vector: Vector) -> None:
    cleaned: str | None
    try:
        cleaned = clean(vector["text"])
    except UnclearAddressError:
        cleaned = None
    assert cleaned == vector["address"]


@vectors("addresses")
def test_an_address_has_the_normal_form_and_id_of_the_page(vector: Vector) -> None:
    assert normalise(vector["address"]) == vector["normal"]
    assert str(fingerprint(vector["address"], KEYS["identity_key"])) == vector["id"]


@vectors("addresses")
def test_the_page_explains_how_an_id_is_derived(vector: Vector) -> None:
    mac = hmac_sha256(KEYS["identity_key"].encode(), vector["normal"].encode())
    assert mac[:16].hex() == vector["id"].replace("-", "")


def test_the_page_lists_the_white_space_that_is_trimmed() -> None:
    listed = PAGE.partition("white space from both ends")[2].partition("(U+FEFF")[0]
    found: set[int] = set()
    for first, last in re.findall(r"U\+([0-9A-F]{4})(?:\s+to\s+U\+([0-9A-F]{4}))?", listed):
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    assert found == {code for code in range(sys.maxunicode + 1) if chr(code).isspace()}


def test_the_page_explains_how_a_local_part_is_folded() -> None:
    for vector in VECTORS["addresses"]:
        local = vector["address"].strip().rpartition("@")[0]
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
        assert vector["normal"].rpartition("@")[0] == folded


@vectors("links")
def test_a_link_matches_the_page(vector: Vector) -> None:
    day, person = date.fromisoformat(vector["day"]), UUID(vector["id"])
    link = minter.Link(day, person, vector["topic"], vector["campaign"])
    assert minter.write_link(vector["purpose"], link, LINK_KEYS) == vector["link"]
    assert minter.read_link(vector["purpose"], vector["link"], LINK_KEYS) == link


@vectors("links")
def test_the_page_explains_how_a_link_is_minted(vector: Vector) -> None:
    rest = f"{vector['topic']}.{vector['campaign']}"
    minted = signed(vector["purpose"], LINK_KEYS[-1], vector["day"], vector["id"], rest)
    assert minted == vector["link"]


@vectors("accepted")
def test_links_that_the_page_accepts_are_accepted(vector: Vector) -> None:
    assert minter.read_link("unsubscribe", vector["link"], LINK_KEYS).topic == "weekly-news"


@vectors("refused")
def test_links_that_the_page_refuses_are_refused(vector: Vector) -> None:
    with pytest.raises(BadLink):
        minter.read_link("unsubscribe", vector["link"], LINK_KEYS)


@vectors("receipts")
def test_a_receipt_link_matches_the_page(vector: Vector) -> None:
    first, last = vector["first"], vector["last"]
    receipt = server.Receipt(date.fromisoformat(vector["day"]), UUID(vector["id"]), first, last)
    key = KEYS["server_keys"][-1]
    assert server.write_receipt(receipt, [key]) == vector["link"]
    assert server.read_receipt(vector["link"], [key]) == receipt
    minted = signed("receipt", key, vector["day"], vector["id"], f"{first}.{last}")
    assert minted == vector["link"]


@vectors("confirms")
def test_a_confirm_link_matches_the_page(vector: Vector) -> None:
    confirm = server.Confirm(
        date.fromisoformat(vector["day"]),
        UUID(vector["id"]),
        vector["topic"],
        datetime.fromisoformat(vector["asked_at"]),
    )
    key = KEYS["server_keys"][-1]
    assert server.write_confirm(confirm, [key]) == vector["link"]
    assert server.read_confirm(vector["link"], [key]) == confirm
    asked = datetime.fromisoformat(vector["asked_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
    rest = f"{vector['topic']}.{asked // timedelta(microseconds=1)}"
    assert signed("confirm", key, vector["day"], vector["id"], rest) == vector["link"]


@vectors("refused-confirms")
def test_confirm_links_that_the_page_refuses_are_refused(vector: Vector) -> None:
    with pytest.raises(BadLink):
        server.read_confirm(vector["link"], KEYS["server_keys"])


@vectors("sign-ups")
def test_the_link_of_a_sign_up_matches_the_page(vector: Vector) -> None:
    day, subscriber, sign_up = vector["day"], vector["id"], UUID(vector["sign_up"])
    link = server.SignUpLink(date.fromisoformat(day), UUID(subscriber), sign_up)
    key = KEYS["server_keys"][-1]
    assert server.write_sign_up(link, [key]) == vector["link"]
    assert server.read_sign_up(vector["link"], [key]) == link
    assert signed("sign-up", key, day, subscriber, sign_up.hex) == vector["link"]


@vectors("refused-sign-ups")
def test_links_of_sign_ups_that_the_page_refuses_are_refused(vector: Vector) -> None:
    with pytest.raises(BadLink):
        server.read_sign_up(vector["link"], KEYS["server_keys"])


@vectors("signed-ins")
def test_a_signed_in_link_matches_the_page(vector: Vector) -> None:
    day, subscriber = date.fromisoformat(vector["day"]), UUID(vector["id"])
    expires_at = datetime.fromisoformat(vector["expires_at"])
    signed_in, key = server.SignedIn(day, subscriber, expires_at), KEYS["server_keys"][-1]
    assert server.write_signed_in(signed_in, [key]) == vector["link"]
    assert server.read_signed_in(vector["link"], [key]) == signed_in
    rest = str(int(expires_at.timestamp()))
    assert signed("signed-in", key, vector["day"], vector["id"], rest) == vector["link"]


@vectors("accounts")
def test_an_account_link_matches_the_page(vector: Vector) -> None:
    day, subscriber = date.fromisoformat(vector["day"]), UUID(vector["id"])
    expires_at = datetime.fromisoformat(vector["expires_at"])
    account, key = server.Account(day, subscriber, expires_at), KEYS["server_keys"][-1]
    assert server.write_account(account, [key]) == vector["link"]
    assert server.read_account(vector["link"], [key]) == account
    rest = str(int(expires_at.timestamp()))
    assert signed("account", key, vector["day"], vector["id"], rest) == vector["link"]


@vectors("refused-accounts")
def test_account_links_that_the_page_refuses_are_refused(vector: Vector) -> None:
    with pytest.raises(BadLink):
        server.read_account(vector["link"], KEYS["server_keys"])


@vectors("refused-signed-ins")
def test_signed_in_links_that_the_page_refuses_are_refused(vector: Vector) -> None:
    with pytest.raises(BadLink):
        server.read_signed_in(vector["link"], KEYS["server_keys"])


@vectors("mailto")
def test_a_mailto_token_matches_the_page(vector: Vector) -> None:
    person, topic = UUID(vector["id"]), vector["topic"]
    assert mail_tokens.write_mailto(person, topic, LINK_KEYS) == vector["local_part"]
    read = mail_tokens.read_mailto(vector["local_part"], LINK_KEYS)
    assert read == (person, mail_tokens.topic_code(topic))


@vectors("mailto")
def test_the_page_explains_how_a_mailto_token_is_minted(vector: Vector) -> None:
    code = hashlib.sha256(vector["topic"].encode()).digest()[:5]
    body = b"\x01" + bytes.fromhex(vector["id"].replace("-", "")) + code
    derived = hmac_sha256(LINK_KEYS[-1].encode(), b"mailto")
    token = base64.b32encode(body + hmac_sha256(derived, body)[:15]).decode()
    assert "u-" + token.rstrip("=").lower() == vector["local_part"]


@vectors("refused-mailto")
def test_mailto_tokens_that_the_page_refuses_are_refused(vector: Vector) -> None:
    with pytest.raises(BadLink):
        mail_tokens.read_mailto(vector["local_part"], LINK_KEYS)


def _minter() -> minter.Minter:
    return make.minter(
        public_url=KEYS["public_url"],
        inbound_domain=KEYS["inbound_domain"],
        link_keys=LINK_KEYS,
        identity_key=KEYS["identity_key"],
    )


def test_the_headers_match_the_page() -> None:
    vector = VECTORS["headers"]
    minted = _minter().mint(
        vector["address"],
        vector["topic"],
        vector["campaign"],
        day=date.fromisoformat(vector["day"]),
        list_name=vector["list_name"],
    )
    assert minted.headers == vector["headers"]


@vectors("list-ids")
def test_a_list_id_matches_the_page(vector: Vector) -> None:
    minted = _minter().mint("ada@example.org", "weekly-news", "c", list_name=vector["list_name"])
    assert minted.list_id == vector["list_id"]


@vectors("return-paths")
def test_a_return_path_matches_the_page(vector: Vector) -> None:
    person = UUID(vector["id"])
    local_part = mail_tokens.write_return_path(person, vector["topic"], LINK_KEYS)
    assert local_part == vector["local_part"]
    code = mail_tokens.topic_code(vector["topic"])
    assert mail_tokens.read_mail_token(local_part.upper(), LINK_KEYS) == ("b", person, code)
    with pytest.raises(BadLink):
        mail_tokens.read_mailto(local_part, LINK_KEYS)
