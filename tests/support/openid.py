"""An OpenID provider in this process, over HTTP: what it answers can be what an attacker would."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "console", "a-secret-of-the-provider"
ABSENT = object()  # in place of a claim that the ID token has not
Claims = dict[str, Any]


@dataclass
class Provider:
    """The provider at `issuer`. `subject` signs in; `claims` replace those of the ID token.

    `forge` makes the ID token in place of the provider's own key. A code can be used once.
    """

    issuer: str
    subject: str = "1001"
    claims: Claims = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    forge: Callable[[Claims], Any] | None = None
    asked: dict[str, str] = field(default_factory=dict)  # of the newest authorization request
    codes: dict[str, dict[str, str]] = field(default_factory=dict)  # with what was asked for each

    def consent(self, url: str) -> dict[str, str]:
        """Sign the user in, as the page at `url` would, and return the query of the callback."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = token_hex()
        self.codes[code] = self.asked
        return {"code": code, "state": self.asked["state"]}

    def token(self, sent: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Return the status and the answer of the token endpoint."""
        digest = sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = _base64(digest)
        asked = self.codes.pop(sent.get("code", ""), {"code_challenge": ""})
        if challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": self.subject,
            "iat": now,
            "exp": now + 60,
            "nonce": asked["nonce"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not ABSENT}
        signed = self.forge(claims) if self.forge else signed_by(self.key, claims)
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": signed}

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return what GET answers, by path."""
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            },
            "/keys": {"keys": [self.key.as_dict(private=False)]},
        }


def signed_by(key: RSAKey, claims: Claims, key_id: str = "1") -> str:
    """Return an ID token."""
    return jwt.encode({"alg": "RS256", "kid": key_id}, claims, key)


def with_hmac(secret: bytes, claims: Claims) -> str:
    """Return an ID token with an HMAC by HS256, or without a signature if there is no secret."""
    header = {"alg": "HS256" if secret else "none", "kid": "1"}
    signed = ".".join(_base64(json.dumps(each).encode()) for each in (header, claims))
    mac = hmac.digest(secret, signed.encode(), "sha256") if secret else b""
    return f"{signed}.{_base64(mac)}"


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


@contextmanager
def running() -> Iterator[Provider]:
    """Yield a provider that answers at a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.provider = Provider(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.provider  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._send(200, self.server.provider.documents()[self.path])  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        self._send(*self.server.provider.token(sent))  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
