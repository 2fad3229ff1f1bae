"""A passkey in software, which answers as a browser would (Web Authentication, Level 3)."""

import hashlib
import json
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """One passkey. `flags` and `origin` can be what an attacker would send."""

    origin: str = "https://mail.example.org"
    party: str = "mail.example.org"
    flags: int = PRESENT | VERIFIED
    signatures: int = 0
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    user: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to `navigator.credentials.create`."""
        public = options["publicKey"]
        self.user = _bytes(public["user"]["id"])
        cose = cbor.encode(dict(self._public_key()))
        credential = bytes(16) + struct.pack(">H", len(self.id)) + self.id + cose
        data = self._data(ATTESTED) + credential
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            clientDataJSON=self._client("webauthn.create", public["challenge"]),
            attestationObject=attestation,
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to `navigator.credentials.get`."""
        client = self._client("webauthn.get", options["publicKey"]["challenge"])
        data = self._data(0)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            clientDataJSON=client, authenticatorData=data, signature=signed, userHandle=self.user
        )

    def _public_key(self) -> ES256:
        numbers = self.key.public_key().public_numbers()
        point = {-2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        return ES256({1: 2, 3: -7, -1: 1, **point})  # RFC 9053, sections 2.1 and 7.1

    def _data(self, more_flags: int) -> bytes:
        party = hashlib.sha256(self.party.encode()).digest()
        return party + struct.pack(">BI", self.flags | more_flags, self.signatures)

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _answer(self, **response: bytes) -> dict[str, Any]:
        values = {name: _text(value) for name, value in response.items()}
        return {
            "id": _text(self.id),
            "rawId": _text(self.id),
            "type": "public-key",
            "response": values,
        }


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
