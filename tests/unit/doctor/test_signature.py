"""DKIM: each signature is checked with a real key, or the report says why it was not."""

import logging
from base64 import b64encode

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dns import exception, resolver, rrset
from dns.message import QueryMessage

from preference_center.doctor.identity import are_aligned
from preference_center.doctor.keys import NoKeyFileError, StaticKey, read_key
from preference_center.mail.dkim_keys import DnsKeys, KeyUnknownError
from tests.support import letter as letters
from tests.support.letter import SIGNED, findings, letter, message_report, problems

OTHER = StaticKey(letters.record(rsa.generate_private_key(65537, 1024)))
NO_SUCH_NAME, SILENCE = resolver.NXDOMAIN(), resolver.NoNameservers()  # type: ignore[no-untyped-call]
NO_ANSWER = resolver.NoAnswer(response=QueryMessage())  # type: ignore[no-untyped-call]
ED25519 = StaticKey(b"v=DKIM1; k = ed25519; p=" + b64encode(bytes(32)))


class Named:
    """Keys of some domains only, as held in DNS."""

    def __init__(self, **records: bytes) -> None:
        self.records = records
        self.asked: list[str] = []

    def find(self, where: str) -> bytes | None:
        self.asked.append(where)
        return self.records.get(where.split(".")[2])


class Silent:
    """A DNS resolver that does not answer."""

    def find(self, where: str) -> bytes | None:
        raise KeyUnknownError("the DNS could not be asked for its key")


def test_one_good_signature_among_several_is_enough() -> None:
    by_provider = letter(domain="provider.example", signed=("from", "to"))
    raw = letters.sign(by_provider, SIGNED, "example.org") + by_provider
    keys = Named(example=letters.record(), provider=letters.record())
    assert problems(raw, keys=keys) == {}
    assert keys.asked == ["s1._domainkey.example.org", "s1._domainkey.provider.example"]


def test_an_uncovered_header_is_distinguished_from_an_invalid_signature() -> None:
    raw = letter(signed=("from", "list-unsubscribe"))
    assert findings(raw)["dkim"].message == (
        "The signature of example.org does not cover list-unsubscribe-post."
    )
    assert findings(raw)["dkim"].fix.startswith(
        "List List-Unsubscribe and List-Unsubscribe-Post in h="
    )
    other = findings(letter(), keys=OTHER)["dkim"]
    assert "were changed, or the key does not match" in other.message
    assert other.fix.startswith("Check the key in DNS")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (Named(), "there is no usable key at s1._domainkey.example.org"),
        (StaticKey(b"v=DKIM1; p="), "were changed, or the key does not match"),
        (StaticKey(b"v=DKIM1; p=====\xff"), "the key does not match"),
        (StaticKey(b"p=" + b"A" * 3000), "there is no usable key"),
        (StaticKey(b"\xff\x00"), "the key does not match"),
    ],
)
def test_an_unusable_key_is_a_failure(keys: StaticKey | Named, says: str) -> None:
    assert problems(letter(), keys=keys) == {"dkim": "failure"}
    assert says in findings(letter(), keys=keys)["dkim"].message


@pytest.mark.parametrize("keys", [Silent(), ED25519])
def test_a_signature_that_cannot_be_checked_is_inconclusive(
    keys: Silent | StaticKey,
) -> None:
    assert problems(letter(), keys=keys) == {"dkim": "warning"}
    assert "could not be checked" in findings(letter(), keys=keys)["dkim"].message
    assert message_report(letter(), keys=keys).report.button is None


def test_an_expired_signature_is_inconclusive() -> None:
    raw = letter().replace(b"q=dns/txt;", b"q=dns/txt; x=1000;", 1)
    assert problems(raw) == {"dkim": "warning"}
    assert "it has expired" in findings(raw)["dkim"].message
    assert message_report(raw).report.button is None


def test_an_unchecked_signature_that_covers_too_little_is_a_failure() -> None:
    assert problems(letter(signed=("from",)), keys=Silent()) == {"dkim": "failure"}


def test_a_sha1_signature_is_not_valid() -> None:
    raw = letter(signed=None)
    private = letters.key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    names = [name.encode() for name in SIGNED]
    signature = dkim.sign(
        raw, b"s1", b"example.org", private, include_headers=names, signature_algorithm=b"rsa-sha1"
    )
    assert "rsa-sha1" in findings(signature + raw)["dkim"].message


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (b"v=1;", b"v=1 ;;", "it is malformed"),
        (b"v=1;", b"v=2;", "it is malformed"),
        (b" bh=", b" bh=%", "it is malformed"),
        (b"s=s1;", b"", "it is malformed"),
        (b"rsa-sha256", b"rsa-sha9", "its algorithm is unknown"),
        (b"q=dns/txt;", b"q=dns/txt; z=" + b"a" * 9000 + b";", "it is too long"),
        (b"q=dns/txt;", b"q=dns/txt; z=" + b" " * 200 + b";", "it is too long"),
    ],
)
def test_the_reason_for_an_invalid_signature_is_explained(
    before: bytes, after: bytes, says: str
) -> None:
    found = findings(letter().replace(before, after, 1))["dkim"]
    assert found.level == "failure"
    assert says in found.message


def test_no_part_of_a_message_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for raw in (letter(), letter().replace(b"v=1;", b"v=2;"), letter(signed=("from",))):
        message_report(raw)
        message_report(raw, keys=StaticKey(b"v=DKIM1; p="))
    assert caplog.records == []


@pytest.mark.parametrize(
    "raw",
    [
        letter().replace(b"\r\n", b"\n"),
        b"From ada@example.org Sun Nov 22 14:05:00 2026\r\n" + letter(),
        b"\xef\xbb\xbf" + letter(),
    ],
    ids=["line feeds only", "from an mbox", "byte order mark"],
)
def test_a_message_as_programs_save_it_verifies(raw: bytes) -> None:
    assert problems(raw) == {}


@pytest.mark.parametrize(
    ("domain", "other", "aligned"),
    [
        ("example.org", "example.org", True),
        ("mail.example.org", "Example.org", True),
        ("a.example.org", "b.example.org", True),
        ("example.co.uk", "news.example.co.uk", True),
        ("example.co.uk", "other.co.uk", False),
        ("example.org", "example.com", False),
        ("", "", False),
    ],
)
def test_domains_of_one_organisation_are_aligned(domain: str, other: str, aligned: bool) -> None:
    assert are_aligned(domain, other) is aligned


def pem(kind: serialization.PublicFormat) -> bytes:
    return letters.key().public_key().public_bytes(serialization.Encoding.PEM, kind)


@pytest.mark.parametrize(
    "text",
    [
        pem(serialization.PublicFormat.SubjectPublicKeyInfo),
        pem(serialization.PublicFormat.PKCS1),
        letters.record(),
        letters.record() + b"\n",
        letters.record().removeprefix(b"v=DKIM1; k=rsa; "),
        b's1._domainkey IN TXT ( "v=DKIM1; k=rsa; "\n  "'
        + letters.record()[16:100]
        + b'"\n "'
        + letters.record()[100:]
        + b'" ) ; ----- DKIM key s1',
        b"s1._domainkey.example.org. 300 IN TXT " + letters.record(),
    ],
    ids=["PEM", "PKCS1 PEM", "record", "line", "bare", "zone file", "zone line"],
)
def test_a_key_is_read_from_a_file(text: bytes) -> None:
    assert problems(letter(), keys=read_key(text)) == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "neither"),
        (b"hello", "neither"),
        (letters.record() * 20, "neither"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----", "private"),
    ],
)
def test_a_file_without_a_public_key_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(NoKeyFileError, match=why):
        read_key(text)


def test_dns_is_queried_once_for_each_key(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(name: object, *_args: object, **_options: object) -> rrset.RRset:
        asked.append(str(name))
        return rrset.from_text("x.", 300, "IN", "TXT", '"v=DKIM1; " "p=abc"')

    monkeypatch.setattr(resolver, "resolve", answer)
    keys = DnsKeys()
    assert [keys.find("s1._domainkey.example.org") for _ in range(2)] == [b"v=DKIM1; p=abc"] * 2
    assert asked == ["s1._domainkey.example.org."]


@pytest.mark.parametrize("error", [NO_SUCH_NAME, NO_ANSWER])
def test_a_missing_dns_record_means_that_there_is_no_key(
    monkeypatch: pytest.MonkeyPatch, error: exception.DNSException
) -> None:
    refuse_with(monkeypatch, error)
    assert DnsKeys().find("s1._domainkey.example.org") is None


def test_an_unresponsive_dns_is_queried_only_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = refuse_with(monkeypatch, SILENCE)
    keys = DnsKeys()
    for n in range(5):
        with pytest.raises(KeyUnknownError):
            keys.find(f"s{n}._domainkey.example.org")
    assert len(asked) == 2


@pytest.mark.parametrize("where", ["a..b", "x" * 70, "\ufffd._domainkey.x", "\\9", "s. .x"])
def test_an_invalid_name_has_no_key(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    refuse_with(monkeypatch, NO_SUCH_NAME)
    assert DnsKeys().find(where) is None


def refuse_with(monkeypatch: pytest.MonkeyPatch, error: exception.DNSException) -> list[object]:
    asked = []

    def refuse(name: object, *_args: object, **_options: object) -> None:
        asked.append(name)
        raise error

    monkeypatch.setattr(resolver, "resolve", refuse)
    return asked
