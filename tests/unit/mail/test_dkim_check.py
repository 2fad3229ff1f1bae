"""Trust in complaints: only a valid DKIM signature by a listed domain counts."""

import logging

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from preference_center.mail.dkim_check import MAX_COMPLAINT_BYTES, MAX_SIGNATURES, is_signed_by
from preference_center.mail.dkim_keys import KeyUnknownError
from tests.support import letter as letters
from tests.support.letter import SIGNED, letter

GOOD = letter()
DOMAINS = ("Yahoo.example", "Example.org")


class Keys:
    """Finds the tests' key under every name, and records the names."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find(self, where: str) -> bytes | None:
        self.asked.append(where)
        return letters.record()


def is_trusted(raw: bytes, *domains: str) -> bool:
    return is_signed_by(raw, domains or DOMAINS, Keys().find)


@pytest.mark.parametrize("domain", ["example.org", "fbl.example.org", "EXAMPLE.ORG"])
def test_a_signature_by_a_listed_domain_or_a_subdomain_counts(domain: str) -> None:
    assert is_trusted(letter(domain=domain))


@pytest.mark.parametrize("domain", ["org", "other.example", "badexample.org"])
def test_a_signature_by_another_domain_does_not_count(domain: str) -> None:
    assert not is_trusted(letter(domain=domain))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        letter(signed=None),
        GOOD.replace(b"open again", b"shut again"),
        GOOD.replace(b"To: ada", b"To ada"),
        letter(length=True),
        GOOD.replace(b"a=rsa-sha256", b"a=rsa-sha1"),
        GOOD.replace(b"d=example.org", b"d=\xff"),
        GOOD + b" " * MAX_COMPLAINT_BYTES,
        letter(text="x" + " " * 600),
    ],
    ids=["empty", "unsigned", "body", "header", "l=", "SHA-1", "domain", "large", "blanks"],
)
def test_a_changed_or_incompletely_signed_message_does_not_count(raw: bytes) -> None:
    assert not is_trusted(raw)


def test_one_valid_signature_among_invalid_ones_is_enough() -> None:
    broken = letters.sign(GOOD, SIGNED, "example.org").replace(b"bh=", b"bh=%")
    assert is_trusted(broken + GOOD)
    assert not is_trusted(broken * MAX_SIGNATURES + GOOD)


def test_without_listed_domains_no_key_is_looked_up() -> None:
    keys = Keys()
    assert not is_signed_by(GOOD, (), keys.find)
    assert keys.asked == []
    assert is_signed_by(GOOD, DOMAINS, keys.find)
    assert keys.asked == ["s1._domainkey.example.org"]


def test_a_signature_with_an_unknown_or_different_key_does_not_count() -> None:
    def fail(where: str) -> bytes | None:
        raise KeyUnknownError("DNS does not answer")

    other = letters.record(rsa.generate_private_key(65537, 1024))
    for find in (fail, lambda _where: None, lambda _where: other):
        assert not is_signed_by(GOOD, DOMAINS, find)


def test_no_part_of_a_message_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for raw in (GOOD, GOOD.replace(b"v=1;", b"v=2;"), GOOD.replace(b"open", b"shut")):
        is_trusted(raw)
    assert caplog.records == []
