"""Read the public key of DKIM signatures from a file."""

import re

from preference_center.mail.dkim_keys import MAX_RECORD_BYTES


class NoKeyFileError(ValueError):
    """A file contains no public key. The message says what it contains, or should."""


class StaticKey:
    """The same key for every signature, so that no DNS is needed."""

    def __init__(self, record: bytes) -> None:
        self.record = record

    def find(self, where: str) -> bytes | None:
        """Return the key record, whatever the name."""
        return self.record


def read_key(text: bytes) -> StaticKey:
    """Return the key in a PEM file, a DKIM record or a zone file. Raise NoKeyFileError."""
    if b"PRIVATE KEY" in text:
        raise NoKeyFileError("it contains a private key; give the public key instead")
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
        raise NoKeyFileError(
            "it contains neither a PEM public key nor a DKIM record (v=DKIM1; … p=…)"
        )
    return StaticKey(found[0])
