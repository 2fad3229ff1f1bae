"""Whose an address is, whether mail can go to it, and how a page shows it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.addresses import fingerprint, is_mailable, mask, normalise
from tests import make

domains = st.text(st.characters() | st.sampled_from(".-xnßİΣ。＠\u0301\u00ad"), max_size=40)
addresses = st.text() | st.builds("{}@{}".format, st.text(max_size=20), domains)


@given(addresses)
def test_normalising_twice_changes_nothing_more(address: str) -> None:
    assert normalise(normalise(address)) == normalise(address)


@given(addresses)
def test_whatever_stands_for_an_address_has_an_id_and_a_mask(address: str) -> None:
    assert fingerprint(address, make.IDENTITY_KEY) == fingerprint(
        f" {address}\r\n", make.IDENTITY_KEY
    )
    assert "•••" in mask(address)
    is_mailable(address)


@pytest.mark.parametrize("address", ["\ud800@example.org", "ada@\udfff.org", "\ud800", "@\ud800"])
def test_a_lone_surrogate_is_an_address_like_any_other(address: str) -> None:
    assert normalise(address) == address
    assert fingerprint(address, make.IDENTITY_KEY) != fingerprint("", make.IDENTITY_KEY)
    assert not is_mailable(address)


@pytest.mark.parametrize(
    "address", ["a" * 10**6, "a@" + "é." * 10**6, "a@" + "xn--" * 10**6, "@" * 10**6]
)
def test_a_very_long_address_is_taken_as_it_is(address: str) -> None:
    assert normalise(address) == address
    assert not is_mailable(address)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@straße.de", "ada@xn--strae-oqa.de"),
        ("ada@cafe\u0301.example", "ADA@CAFÉ.example"),
        ("jose\u0301@example.org", "JOSÉ@example.org"),
        ("ada@例子。广告", "ada@例子.广告"),
    ],
)
def test_two_spellings_are_one_person(one: str, other: str) -> None:
    assert make.person(one) == make.person(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada.l@example.org", "adal@example.org"),
        ("ada+news@example.org", "ada@example.org"),
        ("ada@straße.de", "ada@strasse.de"),
        ("İ@example.org", "i@example.org"),
    ],
)
def test_two_addresses_are_two_people(one: str, other: str) -> None:
    assert make.person(one) != make.person(other)


def test_an_id_depends_on_the_identity_key() -> None:
    one = fingerprint("ada@example.org", make.IDENTITY_KEY)
    assert one != fingerprint("ada@example.org", make.IDENTITY_KEY + "x")


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.org",
        "o'hara+x@example.co.uk",
        "ada@straße.de",
        "用户@例子.广告",
        " a@localhost ",
    ],
)
def test_mail_can_go_to_it(address: str) -> None:
    assert is_mailable(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@-example.org",
        "ada@exa_mple.org",
        "ada@example.org\nBcc: eve@example.org",
        "ada\r\n@example.org",
        "ada\x00@example.org",
        "ada@example.org, eve@example.org",
        "a\u200bda@example.org",
        "a\u2028b@example.org",
        "a" * 65 + "@example.org",
        "ada@" + "a." * 130 + "org",
    ],
)
def test_mail_cannot_go_to_it(address: str) -> None:
    assert not is_mailable(address)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ada@example.org", "a•••@example.org"),
        ("a@example.org", "a•••@example.org"),
        ("@example.org", "•••@example.org"),
        ('"a@b"@example.org', '"•••@example.org'),
        ("no at sign", "•••"),
        ("", "•••"),
    ],
)
def test_a_mask_shows_the_first_character_and_the_domain(address: str, shown: str) -> None:
    assert mask(address) == shown
