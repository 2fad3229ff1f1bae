"""Cleaning an address, its subscriber id, whether it can be mailed, and how a page shows it."""

from contextlib import suppress

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preference_center.links.addresses import fingerprint, is_mailable, mask, normalise
from preference_center.links.cleaning import (
    PLAIN,
    UnclearAddressError,
    clean,
    lookalikes,
    split,
    subscriber_id,
)
from tests.support import make

domains = st.text(st.characters() | st.sampled_from(".-xnßİΣ。＠\u0301\u00ad"), max_size=40)
addresses = st.text() | st.builds("{}@{}".format, st.text(max_size=20), domains)


@given(addresses)
def test_normalising_is_idempotent(address: str) -> None:
    assert normalise(normalise(address)) == normalise(address)


@given(addresses)
def test_any_text_has_an_id_and_a_mask(address: str) -> None:
    assert fingerprint(address, make.IDENTITY_KEY) == fingerprint(
        f" {address}\r\n", make.IDENTITY_KEY
    )
    assert "•••" in mask(address)
    is_mailable(address)


@given(st.lists(st.sampled_from(["xn--", "strae-oqa", "a", "Z", "0", "-", "_", "."])).map("".join))
def test_a_domain_in_ascii_is_its_own_a_label(domain: str) -> None:
    assert normalise(f"ada@{domain}") == f"ada@{domain.lower()}"
    with suppress(idna.IDNAError):
        assert idna.encode(domain, uts46=True).decode() == domain.lower()


@pytest.mark.parametrize("address", ["\ud800@example.org", "ada@\udfff.org", "\ud800", "@\ud800"])
def test_a_lone_surrogate_is_kept_and_not_mailable(address: str) -> None:
    assert normalise(address) == address
    assert fingerprint(address, make.IDENTITY_KEY) != fingerprint("", make.IDENTITY_KEY)
    assert not is_mailable(address)


@pytest.mark.parametrize(
    "address", ["a" * 10**6, "a@" + "é." * 10**6, "a@" + "xn--" * 10**6, "@" * 10**6]
)
def test_a_very_long_address_is_unchanged_and_not_mailable(address: str) -> None:
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
def test_two_spellings_of_an_address_have_one_id(one: str, other: str) -> None:
    assert make.id_of(one) == make.id_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada.l@example.org", "adal@example.org"),
        ("ada+news@example.org", "ada@example.org"),
        ("ada@straße.de", "ada@strasse.de"),
        ("İ@example.org", "i@example.org"),
    ],
)
def test_two_addresses_have_two_ids(one: str, other: str) -> None:
    assert make.id_of(one) != make.id_of(other)


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
def test_a_valid_address_is_mailable(address: str) -> None:
    assert is_mailable(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "“ada@example.org",
        "ad\ufffda@example.org",
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
def test_an_invalid_address_is_not_mailable(address: str) -> None:
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


ADA = "ada@example.org"
CLEANED = [
    *((ADA, ADA), (" \u00a0Ada@Example.org\u3000\r\n", "Ada@Example.org")),
    *((f"{ADA}{mark}", ADA) for mark in ".,;)>:!?\"'”»。"),
    *((f"{mark}{ADA}", ADA) for mark in '<([" “„«‘'),
    *((f"a{chr(code)}da@exam{chr(code)}ple.org", ADA) for code in (0xFEFF, 0x200B, 0x200E, 0x200F)),
    *((f"{chr(code)}{ADA}{chr(code)}", ADA) for code in (0x2060, 0xAD, 0x061C, 0x180E)),
    *((f"{chr(code)}{ADA}", ADA) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))),
    *((f"{ADA}\u200b,\u00a0", ADA), ("“ada@example.org”.", ADA), ("'ada@example.org',", ADA)),
    *(("`ada@example.org`", ADA), ("*ada@example.org*", ADA), ("{ada@example.org}", ADA)),
    *(("Ada Lovelace <ada@example.org>", ADA), ('"Ada" <ada@example.org>', ADA)),
    *(("Lovelace, Ada <ada@example.org>", ADA), ("'Ada'<ada@example.org>", ADA)),
    *(("Ada (ada@example.org)", ADA), ("ada@example.org (Ada, at home)", ADA)),
    *(("(Ada) ada@example.org", ADA), ("<ada@example.org", ADA), ("ada@example.org -", ADA)),
    *(("mailto:ada@example.org", ADA), ("MailTo: ada@example.org", ADA)),
    ("<mailto:ada%2Bnews@example.org?subject=Please%20stop&body=x>", "ada+news@example.org"),
    *(("'mailto:ada@example.org?subject=x'", ADA), ("mailto:mailto%3Aada%40example.org", ADA)),
    *(
        ("ada@example.org <mailto:Ada@Example.org>", ADA),
        ('"ada@example.org" <ada@example.org>', ADA),
    ),
    *(("[ada@example.org](mailto:ada@example.org)", ADA), ("ada@example.org;ADA@example.org", ADA)),
    *(("&lt;ada@example.org&gt;", ADA), ("ada&#64;example&#x2e;org", ADA), (f"&nbsp;{ADA}", ADA)),
    *(("&amp;lt;ada@example.org", ADA), ("o&#39;hara@example.org", "o'hara@example.org")),
    *(
        ("ada＠example.org", ADA),
        ("ａｄａ＠ｅｘａｍｐｌｅ．ｏｒｇ", ADA),
        ("ada﹫example.org", ADA),
    ),
    *(("ada @example.org", ADA), ("ada @ example.org", ADA), ("ada@\n example.org", ADA)),
    *(('"a  b"@example.org', '"a  b"@example.org'), ('<"a@b"@example.org>', '"a@b"@example.org')),
    *(("user@[192.0.2.1]", "user@[192.0.2.1]"), ("{ada@example.org", "{ada@example.org")),
    *(("'ada@example.org", "'ada@example.org"), ("a/b@example.org", "a/b@example.org")),
    ("ada@نامه\u200cای.com", "ada@نامه\u200cای.com"),  # IDNA 2008 permits the joiner here.
]
UNCLEAR = [
    *(("", "no @"), ("Ada", "no @"), ("ada (at) example.org", "no @"), ("n/a", "no @")),
    *(("a\u200cda@example.org", "joiner"), ("a\u200dda@example.org", "joiner")),
    *(("a&zwnj;da@example.org", "joiner"), ("ada@exam\u200cple.org", "joiner")),
    *(("ada@example.org, ben@example.org", "more than one"), (f"{ADA} ben@x.org", "more than one")),
    *(
        ("ada@old.example <ada@example.org>", "more than one"),
        (f"{ADA}/ben@x.org", "more than one"),
    ),
    *(("ada lovelace@example.org", "besides"), ("Ada ada@example.org", "besides")),
    *(("ada@exam ple.org", "besides"), ("E-mail: ada@example.org", "besides")),
    *(
        ("ada@example.org (new: ben@example.org)", "besides"),
        (f"{ADA} (Ada) Ltd", "besides"),
    ),
    *(
        ("ada@", "not an address"),
        ("@example.org", "not an address"),
        (f"b@{ADA}", "not an address"),
    ),
    *(("ada@exa!mple.org", "not an address"), ("https://x.org/?e=ada@x.org", "not an address")),
    *(("mailto:ada@example.org?cc=ben@x.org", "not an address"), ("ada:b@x.org", "not an address")),
    *(
        ("ada\0@example.org", "control"),
        ("ad\ufffda@x.org", "damaged"),
        ("\ud800@x.org", "control"),
    ),
    *(("mailto:ad%E9@example.org", "damaged"), ("a" * 990 + ADA, "longer than 1,000")),
]


@pytest.mark.parametrize(("text", "address"), CLEANED)
def test_an_unambiguous_address_is_cleaned(text: str, address: str) -> None:
    assert normalise(clean(text)) == normalise(address)
    assert split(text) == [clean(text)]
    assert subscriber_id(text, make.IDENTITY_KEY) == make.id_of(address)


@pytest.mark.parametrize(("text", "why"), UNCLEAR)
def test_an_unclear_address_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(UnclearAddressError, match=why) as refused:
        clean(text)
    assert not text or text not in str(refused.value)
    assert subscriber_id(text, make.IDENTITY_KEY) == fingerprint(text, make.IDENTITY_KEY)


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.org,ben@example.org",
        "ada@example.org; ben@example.org;",
        "ada@example.org/ben@example.org",
        "ada@example.org|ben@example.org",
        "ada@example.org，ben@example.org",
        "ada@example.org ben@example.org",
        "ada@example.org\r\nben@example.org",
        "ada@example.org & ben@example.org",
        "Lovelace, Ada <ada@example.org>; Ben <mailto:ben@example.org>",
        "ada@example.org <ben@example.org>",
        "ada@example.org (Ada), ben@example.org (Ben), Ada@Example.org",
    ],
)
def test_a_cell_of_two_addresses_can_be_split(text: str) -> None:
    assert split(text) == ["ada@example.org", "ben@example.org"]


@pytest.mark.parametrize("text", ["ada@example.org, ben", "ada@example.org and ben@example.org"])
def test_a_cell_with_an_unclear_part_is_not_split(text: str) -> None:
    with pytest.raises(UnclearAddressError):
        split(text)


marks = [
    *"<>()[]{}\"'`*“”«»’.,;:/|&#@＠ \n\u00a0\u200b\u200c\ufeff\u00ad?!%=\\_-+$\ufffdßİΣ。．",
    *("mailto:", "&lt;", "&amp;", "&#64;", "ada", "Ada <", "example.org", "%40", "%3A"),
]
cells = st.lists(st.sampled_from(marks), max_size=14).map("".join) | addresses


@given(cells)
def test_cleaning_is_idempotent(text: str) -> None:
    try:
        cleaned = clean(text)
    except UnclearAddressError:
        assert not is_mailable(text)
    else:
        assert clean(cleaned) == cleaned
        assert not is_mailable(text) or normalise(cleaned) == normalise(text)


@given(st.from_regex(PLAIN, fullmatch=True))
def test_a_plain_address_is_the_same_without_brackets(address: str) -> None:
    assert split(address) == split(f"<{address}>") == [address]


@given(
    st.text("abz0.!#$%&'*+/=?^_`{|}~-äß“（＠，；", min_size=1, max_size=8),
    st.text("ab-.ßx。．ｅ\u00ad\u200c\u2060", max_size=8),
)
def test_a_mailable_address_is_already_clean(local: str, domain: str) -> None:
    address = f" {local}@{domain}"
    if is_mailable(address):
        assert normalise(clean(address)) == normalise(address)


@pytest.mark.parametrize(
    "text", ["a\u2062da@x.de", "ada@x.de\ufe0f", "\u2800ada@x.de", "mailto://ada@x.de", "ａda@x.de"]
)
def test_other_additions_are_removed(text: str) -> None:
    assert clean(text) == "ada@x.de"


@pytest.mark.parametrize("text", ["•ada@x.de", "ada@x.de™", "ada@x.de…", "ada@x..de", "📧ada@x.de"])
def test_a_symbol_next_to_an_address_is_refused(text: str) -> None:
    with pytest.raises(UnclearAddressError):
        clean(text)
    assert not is_mailable(text)


INVISIBLE = [
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180F, 0x200B, 0x200F),
    *(0x202A, 0x202E, 0x2060, 0x206F, 0x2800, 0x3164, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF0),
    *(0xFFFC, 0x1BCA0, 0x1BCA3, 0x1D173, 0x1D17A, 0xE0000, 0xE0FFF),
]


@pytest.mark.parametrize("code", INVISIBLE, ids=hex)
def test_invisible_characters_are_removed_and_are_not_mailable(code: int) -> None:
    text = f"a{chr(code)}da@x.de"
    assert clean(text) == "ada@x.de"
    assert not is_mailable(text)


@pytest.mark.parametrize("text", ["a\u0301da@x.de", "क\u093fa@x.de", "ad\u0661a@x.de"])
def test_letters_digits_and_marks_of_any_script_are_part_of_an_address(text: str) -> None:
    assert clean(text) == text
    assert is_mailable(text)


@pytest.mark.parametrize("text", ["ada@x。de", "\u00a0ada@x.de"])
def test_characters_that_the_normal_form_removes_are_mailable(text: str) -> None:
    assert is_mailable(text)


@pytest.mark.parametrize("text", ["ｂda@x.de", "a\u200cda@x.de", "a\u200dda@x.de"])
def test_characters_that_the_normal_form_keeps_are_not_mailable(text: str) -> None:
    assert not is_mailable(text)


def test_a_local_part_of_only_marks_has_no_lookalikes() -> None:
    assert lookalikes("'@x.de") == set()
