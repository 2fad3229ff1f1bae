"""DKIM: is there a signature that is valid and covers both headers (RFC 8058 §4)?"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import dkim
from dkim.util import InvalidTagValueList, parse_tag_value

from preference_center.doctor.identity import are_aligned
from preference_center.doctor.keys import MAX_RECORD_BYTES, Keys, KeyUnknownError
from preference_center.doctor.message import Header, Message
from preference_center.doctor.report import Report, shown

COVERED = ("list-unsubscribe", "list-unsubscribe-post")
MAX_SIGNATURES = 5
MAX_SIGNED_BYTES = 5 * 1024 * 1024  # bytes of body
MAX_SIGNATURE_BYTES = 8192  # bytes of one DKIM-Signature header
_SILENT = logging.getLogger(f"{__name__}.dkimpy")
_SILENT.setLevel(logging.CRITICAL + 1)  # it would log domains and headers
_WHY = {
    "body hash mismatch": "the body was changed after signing",
    "t= value is in the future": "it was signed in the future",
    "public key too small": "the key has less than 1,024 bits",
    "unknown signature algorithm": "its algorithm is unknown",
}

State = Literal["valid", "invalid", "unchecked"]


@dataclass(frozen=True)
class Signature:
    """What one DKIM-Signature is worth; `why` says it in words where it is not valid."""

    domain: str
    missing: tuple[str, ...]  # those of COVERED that it does not sign
    state: State
    why: str = ""
    partial: bool = False  # l=: text can be added below what is signed

    def __str__(self) -> str:
        name = f"the signature of {shown(self.domain)}" if self.domain else "a signature"
        return f"{name} {self._worth()}"

    def _worth(self) -> str:
        if self.state == "unchecked":
            return f"could not be checked: {self.why}"
        if self.state == "invalid":
            return f"is not valid: {self.why}"
        return f"leaves out {' and '.join(self.missing)}" if self.missing else "covers both headers"


def check(message: Message, domain: str, keys: Keys, report: Report) -> None:
    """Judge the signatures. `domain` is that of From's address."""
    headers = message.all("DKIM-Signature")[:MAX_SIGNATURES]
    if not headers:
        report.fail(
            "dkim",
            "There is no DKIM signature: no mailbox provider shows the button without one.",
            "Have your mail server or provider sign with DKIM.",
        )
        return
    why_not = _unfit(message)
    signer = _signer(message)
    found = [_judged(signer, at, header, keys, why_not) for at, header in enumerate(headers)]
    good = [each for each in found if each.state == "valid" and not each.missing]
    if good:
        _report_good(good, domain, report)
    else:
        _report_bad(found, report)


def _report_good(good: list[Signature], domain: str, report: Report) -> None:
    names = ", ".join(dict.fromkeys(shown(each.domain) for each in good))
    if all(each.partial for each in good):
        report.warn(
            "dkim",
            f"Signed by {names}, but only a part of the body (l=): anybody could add to it.",
            "Sign without l=.",
        )
    else:
        report.passed("dkim", f"Valid, and it covers both headers: signed by {names}.")
    if any(are_aligned(each.domain, domain) for each in good):
        report.passed("alignment", "A signature is by the domain of From.")
    elif domain:
        report.warn(
            "alignment",
            f"The signature is by {names}, From is at {shown(domain)}: mailbox providers trust "
            "such mail less.",
            "Have your provider sign with your own domain.",
        )


def _report_bad(found: list[Signature], report: Report) -> None:
    says = "; ".join(dict.fromkeys(map(str, found)))
    says = says[:1].upper() + says[1:] + "."
    uncovering = [each for each in found if each.state == "valid"]
    if any(each.state == "unchecked" and not each.missing for each in found):
        report.unsure("dkim", says, "Try again later, with a newer mail, or with --dkim-key FILE.")
    elif uncovering:
        report.fail(
            "dkim",
            says,
            "Have h= name List-Unsubscribe and List-Unsubscribe-Post (RFC 8058 §4): set it in your "
            "signer, and write the headers before it signs.",
        )
    else:
        report.fail("dkim", says, "Check the key in the DNS, and what changes mail after signing.")


def _unfit(message: Message) -> str:
    """Return why a message is not checked, or "".

    dkimpy's time grows with the size, and with the square of blanks in a row.
    """
    blanks = 500 if len(message.body) <= 1024 * 1024 else 100
    if message.cut or len(message.body) > MAX_SIGNED_BYTES:
        return f"the mail is larger than {MAX_SIGNED_BYTES >> 20} MB"
    if b" " * blanks in message.body.replace(b"\t", b" "):
        return f"the mail has {blanks} blanks in a row"
    return ""


def _signer(message: Message) -> dkim.DKIM:
    """Return a DKIM object of what we read, so that nothing is parsed in a second way."""
    signer = dkim.DKIM(logger=_SILENT)
    signer.headers = [[header.name, header.raw] for header in message.headers]
    lines = message.body.replace(b"\r\n", b"\n")
    # Empty lines at the end are never signed (RFC 6376 §3.4.3), and dkimpy counts them one by one.
    content = lines.rstrip(b"\n")
    signer.body = (content + lines[len(content) :][:1]).replace(b"\n", b"\r\n")
    return signer


def _judged(signer: dkim.DKIM, at: int, header: Header, keys: Keys, why_not: str) -> Signature:
    try:
        tags: Mapping[bytes, bytes] = parse_tag_value(header.value[:MAX_SIGNATURE_BYTES])
    except InvalidTagValueList:
        return Signature("", (), "invalid", "it cannot be read")
    domain = tags.get(b"d", b"").decode("ascii", "replace").lower()
    signed = {name.strip().lower() for name in tags.get(b"h", b"").split(b":")}
    missing = tuple(name for name in COVERED if name.encode() not in signed)
    state, why = _verified(signer, at, header, tags, keys, why_not)
    return Signature(domain, missing, state, why, b"l" in tags)


def _verified(
    signer: dkim.DKIM,
    at: int,
    header: Header,
    tags: Mapping[bytes, bytes],
    keys: Keys,
    why_not: str,
) -> tuple[State, str]:
    selector, domain = (tags.get(tag, b"").decode("ascii", "replace") for tag in (b"s", b"d"))
    where = f"{selector}._domainkey.{domain}"
    if why_not:
        return "unchecked", why_not
    if len(header.raw) > MAX_SIGNATURE_BYTES or b" " * 100 in header.value.replace(b"\t", b" "):
        return "invalid", "it is too long"
    if tags.get(b"a") == b"rsa-sha1":
        return "invalid", "it uses rsa-sha1, which must not be accepted (RFC 8301)"
    try:
        record = keys.find(where)
    except KeyUnknownError as error:
        return "unchecked", str(error)
    if record is None or len(record) > MAX_RECORD_BYTES:
        return "invalid", f"there is no usable key at {shown(where)}"
    if b"k=ed25519" in record.replace(b" ", b""):
        return "unchecked", "its key is of the kind ed25519, which this program cannot check"
    return _verified_with(signer, at, record)


def _verified_with(signer: dkim.DKIM, at: int, record: bytes) -> tuple[State, str]:
    try:
        valid = signer.verify(at, dnsfunc=lambda *_args, **_options: record)
    except dkim.DKIMException as error:
        text = str(error)
        if "x= value is past" in text:  # it may have been valid when the mail arrived
            return "unchecked", "it has expired since"
        return "invalid", next(
            (why for begin, why in _WHY.items() if begin in text), "it is malformed"
        )
    except Exception:  # noqa: BLE001  # dkimpy raises whatever hostile input makes it trip over
        return "invalid", "it is malformed"
    return (
        ("valid", "") if valid else ("invalid", "what it signs was changed, or the key is another")
    )
