"""Where the public keys of DKIM signatures come from: DNS, or a file."""

import re
from typing import Protocol

from dns import exception, name, rdatatype, resolver

MAX_RECORD_BYTES = 2000  # bytes; an RSA key of 8,192 bits takes 1,400, and time grows with its cube
_TIMEOUT_SECONDS = 5.0  # seconds for one question
_MAX_TIMEOUTS = 2  # questions that may go unanswered before no more are asked


class KeyUnknownError(Exception):
    """Whether there is a key could not be found out; the text says why."""


class NoKeyFileError(ValueError):
    """A file holds no public key; the text says what it holds, or should."""


class Keys(Protocol):
    """Finds the key record of a selector and domain, `s1._domainkey.example.org`."""

    def find(self, where: str) -> bytes | None:
        """Return the record, None where there is none, or raise KeyUnknownError."""


class DnsKeys:
    """Asks the DNS, each question once; gives up where it is silent."""

    def __init__(self) -> None:
        self._found: dict[str, bytes | None] = {}
        self._silences = 0

    def find(self, where: str) -> bytes | None:
        if where not in self._found:
            if self._silences >= _MAX_TIMEOUTS:
                raise KeyUnknownError("the DNS does not answer")
            self._found[where] = self._ask(where)
        return self._found[where]

    def _ask(self, where: str) -> bytes | None:
        try:
            asked = name.from_text(where)
        except (exception.DNSException, UnicodeError):
            return None  # what is no name has no key
        try:
            answer = resolver.resolve(asked, rdatatype.TXT, lifetime=_TIMEOUT_SECONDS, search=False)
        except (resolver.NXDOMAIN, resolver.NoAnswer):
            return None
        except (exception.DNSException, OSError) as error:
            self._silences += 1
            raise KeyUnknownError("the DNS could not be asked for its key") from error
        return b"".join(next(iter(answer)).strings)


class StaticKey:
    """The same key for every signature, so that no DNS is needed."""

    def __init__(self, record: bytes) -> None:
        self.record = record

    def find(self, where: str) -> bytes | None:
        return self.record


def read_key(text: bytes) -> StaticKey:
    """Return the key in a file: a PEM, a key record, or a zone file's line with one.

    Raises NoKeyFileError.
    """
    if b"PRIVATE KEY" in text:
        raise NoKeyFileError("it holds a private key; give the public key, and keep that one safe")
    pem = re.search(rb"-----BEGIN (?:RSA )?PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END", text)
    if pem is not None:
        return StaticKey(b"v=DKIM1; k=rsa; p=" + b"".join(pem[1].split()))
    quoted = re.findall(rb'"([^"]*)"', text)  # as opendkim-genkey writes it
    record = b"".join(quoted) if quoted else b" ".join(text.split())
    found = re.search(rb"(?:v\s*=\s*DKIM1|k\s*=\s*\w+|p)\s*[;=].*", record)
    if (
        found is None
        or b"p=" not in found[0].replace(b" ", b"")
        or len(text) > 2 * MAX_RECORD_BYTES
    ):
        raise NoKeyFileError("it holds neither a PEM public key nor a DKIM record (v=DKIM1; … p=…)")
    return StaticKey(found[0])
