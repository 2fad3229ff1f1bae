"""DKIM signatures (RFC 6376). Only this module calls dkimpy, and the demo, which signs with it.

This module works around three problems of dkimpy: it can raise any exception on hostile input, its
run time grows with the square of the number of blanks in a row, and it logs domains and headers.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import dkim
from dkim.util import InvalidTagValueList, parse_tag_value

from preference_center.mail.dkim_keys import MAX_RECORD_BYTES, DnsKeys, FindKey, KeyUnknownError
from preference_center.mail.raw_message import RawField, RawMessage, parse

MAX_SIGNATURES = 5
MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_SIGNATURE_BYTES = 8192  # one DKIM-Signature header
MAX_COMPLAINT_BYTES = 1024 * 1024
_SILENT = logging.getLogger(f"{__name__}.dkimpy")
_SILENT.setLevel(logging.CRITICAL + 1)
_REASONS = {  # the start of dkimpy's message -> ours
    "body hash mismatch": "the body was changed after signing",
    "t= value is in the future": "it was signed in the future",
    "public key too small": "the key has fewer than 1,024 bits",
    "unknown signature algorithm": "its algorithm is unknown",
}

State = Literal["valid", "invalid", "unchecked"]


@dataclass(frozen=True)
class Signature:
    """One verified DKIM-Signature header.

    `domain` (d=) and the `signed` header names (h=) are in lower case. `reason` says why a
    signature is invalid or could not be checked. `partial` is True if it has l=: text can then be
    added after the signed part of the body.
    """

    domain: str
    signed: frozenset[str]
    state: State
    reason: str = ""
    partial: bool = False


def is_signed_by(raw: bytes, domains: Iterable[str], find_key: FindKey | None = None) -> bool:
    """Return True if one of `domains`, or a subdomain of one, signed the whole message.

    A signature that cannot be checked now counts as none.
    """
    wanted = tuple(domain.lower() for domain in domains)
    if not wanted or len(raw) > MAX_COMPLAINT_BYTES:
        return False
    message = parse(raw)
    if message.broken:
        return False
    found = signatures(message, find_key or DnsKeys().find)
    return any(
        each.state == "valid" and not each.partial and _is_in(each.domain, wanted) for each in found
    )


def signatures(message: RawMessage, find_key: FindKey) -> list[Signature]:
    """Verify the first `MAX_SIGNATURES` signatures of a message, from the top."""
    headers = message.all("DKIM-Signature")[:MAX_SIGNATURES]
    verifier, obstacle = _verifier(message), _obstacle(message)
    return [
        _signature(verifier, index, header, find_key, obstacle)
        for index, header in enumerate(headers)
    ]


def _is_in(domain: str, wanted: tuple[str, ...]) -> bool:
    return any(domain == each or domain.endswith(f".{each}") for each in wanted)


def _obstacle(message: RawMessage) -> str:
    """Return why verifying the message would take too long, or ""."""
    max_blanks = 500 if len(message.body) <= 1024 * 1024 else 100
    if message.cut or len(message.body) > MAX_BODY_BYTES:
        return f"the message is larger than {MAX_BODY_BYTES >> 20} MB"
    if b" " * max_blanks in message.body.replace(b"\t", b" "):
        return f"the message has {max_blanks} blanks in a row"
    return ""


def _verifier(message: RawMessage) -> dkim.DKIM:
    """Return a DKIM object that holds our parse of the message instead of its own."""
    verifier = dkim.DKIM(logger=_SILENT)
    verifier.headers = [[header.name, header.raw] for header in message.headers]
    lines = message.body.replace(b"\r\n", b"\n")
    # Empty lines at the end are never signed (RFC 6376 §3.4.3); dkimpy removes them one by one.
    content = lines.rstrip(b"\n")
    verifier.body = (content + lines[len(content) :][:1]).replace(b"\n", b"\r\n")
    return verifier


def _signature(
    verifier: dkim.DKIM, index: int, header: RawField, find_key: FindKey, obstacle: str
) -> Signature:
    try:
        tags: Mapping[bytes, bytes] = parse_tag_value(header.value[:MAX_SIGNATURE_BYTES])
    except InvalidTagValueList:
        return Signature("", frozenset(), "invalid", "it is malformed")
    names = tags.get(b"h", b"").split(b":")
    signed = frozenset(name.strip().lower().decode("ascii", "replace") for name in names)
    if obstacle:
        state, reason = _unchecked(obstacle)
    else:
        state, reason = _verify(verifier, index, header, tags, find_key)
    return Signature(_text(tags, b"d").lower(), signed, state, reason, b"l" in tags)


def _verify(
    verifier: dkim.DKIM,
    index: int,
    header: RawField,
    tags: Mapping[bytes, bytes],
    find_key: FindKey,
) -> tuple[State, str]:
    if len(header.raw) > MAX_SIGNATURE_BYTES or b" " * 100 in header.value.replace(b"\t", b" "):
        return _invalid("it is too long")
    if tags.get(b"a") == b"rsa-sha1":
        return _invalid("it uses rsa-sha1, which must not be accepted (RFC 8301)")
    where = f"{_text(tags, b's')}._domainkey.{_text(tags, b'd')}"
    try:
        record = find_key(where)
    except KeyUnknownError as error:
        return _unchecked(str(error))
    if record is None or len(record) > MAX_RECORD_BYTES:
        return _invalid(f"there is no usable key at {where}")
    if b"k=ed25519" in record.replace(b" ", b""):
        return _unchecked("its key is an ed25519 key, which this program does not support")
    return _verify_with(verifier, index, record)


def _verify_with(verifier: dkim.DKIM, index: int, record: bytes) -> tuple[State, str]:
    try:
        valid = verifier.verify(index, dnsfunc=lambda *_args, **_options: record)
    except dkim.DKIMException as error:
        text = str(error)
        if "x= value is past" in text:  # it may have been valid on arrival
            return _unchecked("it has expired")
        found = (reason for start, reason in _REASONS.items() if start in text)
        return _invalid(next(found, "it is malformed"))
    except Exception:  # noqa: BLE001 (see the docstring of this module)
        return _invalid("it is malformed")
    changed = "the signed headers were changed, or the key does not match"
    return ("valid", "") if valid else _invalid(changed)


def _invalid(reason: str) -> tuple[State, str]:
    return "invalid", reason


def _unchecked(reason: str) -> tuple[State, str]:
    return "unchecked", reason


def _text(tags: Mapping[bytes, bytes], tag: bytes) -> str:
    return tags.get(tag, b"").decode("ascii", "replace")
