"""Secrets that a browser holds: 256 random bits, of which only the SHA-256 is stored."""

import hashlib
import secrets
from base64 import urlsafe_b64encode


def new_token(secret: bytes | None = None) -> str:
    """Return 32 secret bytes, by default random ones, as 43 characters of base64url."""
    return urlsafe_b64encode(secret or secrets.token_bytes(32)).decode().rstrip("=")


def digest_of(token: str) -> bytes:
    """Return the key under which a token is stored, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
