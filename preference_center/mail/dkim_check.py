"""Who signed a mail: DKIM (RFC 6376), checked with the keys that DNS holds."""

import logging
import re
from collections.abc import Iterable

import dkim

MAX_SIGNATURES = 5
MAX_SIGNED_BYTES = 1_048_576  # bytes; complaints are short
_BLANKS = re.compile(rb"[ \t\r\n]{2000}")  # its canonical form would take long to make
_QUIET = logging.getLogger("preference_center.dkim")
_QUIET.disabled = True  # dkimpy writes what it reads to its log


def is_signed_by(raw: bytes, domains: Iterable[str]) -> bool:
    """Tell whether one of `domains` signed a message, or a domain below one of them.

    A signature that cannot be checked now counts as none.
    """
    wanted = tuple(domain.lower() for domain in domains)
    if not wanted or len(raw) > MAX_SIGNED_BYTES or _BLANKS.search(raw):
        return False
    return any(_is_below(domain, wanted) for domain in _signers(raw))


def _signers(raw: bytes) -> list[str]:
    try:
        verifier = dkim.DKIM(raw, logger=_QUIET)
        count = sum(name.lower() == b"dkim-signature" for name, _ in verifier.headers)
        verified = (
            verifier.domain.decode().lower()
            for index in range(min(count, MAX_SIGNATURES))
            if verifier.verify(index)
        )
        return list(verified)
    except Exception:  # noqa: BLE001 (whatever a message or a name server holds proves nothing)
        return []


def _is_below(domain: str, wanted: tuple[str, ...]) -> bool:
    return any(domain == each or domain.endswith(f".{each}") for each in wanted)
