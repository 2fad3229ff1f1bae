"""Secrets that a browser holds: 256 random bits, of which only the SHA-256 is stored."""

import hashlib
import secrets


def new_token() -> str:
    """Return a new token, 43 characters of base64url."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """Return the key under which a token is stored, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
