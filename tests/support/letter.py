"""A DKIM-signed email that passes all checks of `doctor`, with the changes of a test.

letter(List_Id=None)  # without the header
letter(List_Id=["<a.example.org>", "<b.example.org>"])  # with two headers
letter(html="<p>Hello</p>", signed=("from",))
"""

from base64 import b64encode
from datetime import date
from functools import cache
from typing import Protocol

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from preference_center.doctor.check import MessageReport, check_message
from preference_center.doctor.keys import StaticKey
from preference_center.doctor.link import Installation
from preference_center.doctor.report import Finding
from preference_center.links.minter import Links
from tests.support import make

SIGNED = (
    "from",
    "to",
    "subject",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-id",
    "feedback-id",
)
OURS = Installation("https://mail.example.org", (make.LINK_KEY,), "service@example.org")
Changed = str | list[str] | None


class Keys(Protocol):
    """Finds DKIM key records."""

    def find(self, where: str) -> bytes | None: ...


def links(topic: str = "weekly-news", key: str = make.LINK_KEY, campaign: str = "2026-47") -> Links:
    minter = make.minter(inbound_domain="in.example.org", link_keys=(key,))
    return minter.mint("ada@example.org", topic, campaign, day=date(2026, 11, 22))


LINK = links().unsubscribe_url
TEXT = f"The harbour is open again.\n\nUnsubscribe: {LINK}\n"
HTML = f'<p>The harbour is open again.</p><p><a href="{LINK}">Unsubscribe</a></p>\n'


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # dkimpy computes in Python


def record(of: rsa.RSAPrivateKey | None = None) -> bytes:
    """Return the DKIM record in the DNS for a public key."""
    der = (
        (of or key())
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return b"v=DKIM1; k=rsa; p=" + b64encode(der)


def letter(
    *,
    text: str | None = TEXT,
    html: str | None = HTML,
    signed: tuple[str, ...] | None = SIGNED,
    domain: str = "example.org",
    length: bool = False,
    **headers: Changed,
) -> bytes:
    """Return an email as bytes; `_` in a header name means `-`, None omits the header."""
    given = links()
    values: dict[str, Changed] = {
        "From": "Northwind <letters@example.org>",
        "To": "ada@example.org",
        "Subject": "Weekly news",
        "List-Unsubscribe": given.list_unsubscribe,
        "List-Unsubscribe-Post": given.list_unsubscribe_post,
        "List-Id": "Weekly news <weekly-news.lists.mail.example.org>",
        "Feedback-ID": given.feedback_id,
        "MIME-Version": "1.0",
        "Content-Type": 'multipart/alternative; boundary="b1"',
    }
    values.update((name.replace("_", "-"), value) for name, value in headers.items())
    lines = [f"{name}: {value}" for name, each in values.items() for value in _all(each)]
    parts = [
        f"--b1\nContent-Type: text/{kind}; charset=utf-8\n\n{content}\n"
        for kind, content in (("plain", text), ("html", html))
        if content is not None
    ]
    whole = "\n".join([*lines, "", *parts, "--b1--", ""])
    raw = whole.encode("utf-8", "surrogateescape").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return raw if signed is None else sign(raw, signed, domain=domain, length=length) + raw


def sign(raw: bytes, names: tuple[str, ...], domain: str, length: bool = False) -> bytes:
    """Return the DKIM-Signature header of a message."""
    private = key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    named = [name.encode() for name in names]
    signature: bytes = dkim.sign(
        raw, b"s1", domain.encode(), private, include_headers=named, length=length
    )
    return signature


def message_report(
    raw: bytes, ours: Installation = OURS, keys: Keys | None = None
) -> MessageReport:
    return check_message(raw, ours, (keys or StaticKey(record())).find)


def findings(raw: bytes, ours: Installation = OURS, keys: Keys | None = None) -> dict[str, Finding]:
    """Return the findings about a message, by check."""
    return {finding.check: finding for finding in message_report(raw, ours, keys).report.findings}


def problems(raw: bytes, ours: Installation = OURS, keys: Keys | None = None) -> dict[str, str]:
    """Return the level of each warning and failure, by check."""
    found = findings(raw, ours, keys).values()
    return {each.check: each.level for each in found if each.level in {"warning", "failure"}}


def _all(value: Changed) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value
