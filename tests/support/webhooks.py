"""Signed webhook requests of each provider, and the readers of their events."""

import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from preference_center.providers.event import EventReader, WebhookRequest
from preference_center.providers.mailgun.events import Mailgun
from preference_center.providers.postmark.events import Postmark
from preference_center.providers.sendgrid.events import (
    SIGNATURE,
    TIMESTAMP,
    SendGrid,
    verification_key,
)
from preference_center.providers.ses.events import Ses
from preference_center.providers.ses.sns import SnsVerifier
from tests.support import make

MAILGUN_WEBHOOK_SIGNING_KEY = "mailgun-key-7hG2kP9sQ4vX"
POSTMARK = "postmark:kR5tY0zH7gJ2nB4vP9qL8dF1wS6mC3xA"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail-events"
HOST = "sns.eu-west-1.amazonaws.com"
CERTIFICATE = "/SimpleNotificationService-0123456789abcdef.pem"
_SENDGRID = ec.generate_private_key(ec.SECP256R1())
SENDGRID_WEBHOOK_PUBLIC_KEY = b64encode(
    _SENDGRID.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


@dataclass(frozen=True)
class Request:
    """The body and headers of a webhook request."""

    body: bytes
    headers: dict[str, str]

    @property
    def posted(self) -> WebhookRequest:
        lower = {name.lower(): value for name, value in self.headers.items()}
        return WebhookRequest(self.body, lambda name: lower.get(name.lower(), ""))


@dataclass(frozen=True)
class Authority:
    """The key and certificate that sign SNS envelopes."""

    key: rsa.RSAPrivateKey
    certificate: bytes


@cache
def authority(name: str = "sns.amazonaws.com") -> Authority:
    """Return a key and a certificate for a name, valid around `make.NOW`."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(make.NOW - timedelta(days=30))
        .not_valid_after(make.NOW + timedelta(days=30))
        .sign(key, SHA256())
    )
    return Authority(key, built.public_bytes(Encoding.PEM))


def sendgrid(*events: Any, at: datetime = make.NOW) -> Request:
    """Return a list of events as SendGrid posts it, with a line break at the end."""
    body = json.dumps(events, separators=(",", ":")).encode() + b"\r\n"
    timestamp = str(int(at.timestamp()))
    signature = _SENDGRID.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    return Request(body, {SIGNATURE: b64encode(signature).decode(), TIMESTAMP: timestamp})


def mailgun(
    event: Any,
    at: datetime = make.NOW,
    token: str = "t" * 50,
    key: str = MAILGUN_WEBHOOK_SIGNING_KEY,
) -> Request:
    """Return an event with its signature."""
    timestamp = str(int(at.timestamp()))
    signed = hmac.new(key.encode(), f"{timestamp}{token}".encode(), "sha256").hexdigest()
    signature = {"timestamp": timestamp, "token": token, "signature": signed}
    body = json.dumps({"signature": signature, "event-data": event}).encode()
    return Request(body, {"Content-Type": "application/json"})


MAILGUN_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def mailgun_form(kind: str, *, key: str = MAILGUN_WEBHOOK_SIGNING_KEY, **fields: str) -> Request:
    """Return the form of a legacy webhook, with its signature among the fields."""
    signature = json.loads(mailgun({}, key=key).body)["signature"]
    fields = {**fields, **signature}
    if kind == MAILGUN_FORMS[0]:
        return Request(urlencode(fields).encode(), {"Content-Type": kind})
    parts = (
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return Request(
        f"{''.join(parts)}--edge--\r\n".encode(), {"Content-Type": f"{kind}; boundary=edge"}
    )


def postmark(record: Any, credentials: str = POSTMARK) -> Request:
    """Return a record with the credentials of the webhook."""
    basic = b64encode(credentials.encode()).decode()
    return Request(json.dumps(record).encode(), {"Authorization": f"Basic {basic}"})


def envelope(
    message: str,
    *,
    signer: Authority | None = None,
    at: datetime = make.NOW,
    version: str = "1",
    **changes: str,
) -> Request:
    """Return a message in an SNS envelope; `changes` are made before it is signed."""
    values = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **changes,
    }
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token"]
    present = [name for name in (*names, "TopicArn", "Type") if name in values]
    text = "".join(f"{name}\n{values[name]}\n" for name in present)
    digest = SHA1() if version == "1" else SHA256()
    signature = (signer or authority()).key.sign(text.encode(), padding.PKCS1v15(), digest)
    values |= {
        "SignatureVersion": version,
        "Signature": b64encode(signature).decode(),
        "SigningCertURL": f"https://{HOST}{CERTIFICATE}",
    }
    return Request(json.dumps(values).encode(), {"Content-Type": "text/plain; charset=UTF-8"})


def ses(content: Any, **changes: Any) -> Request:
    """Return an SES event in an SNS envelope."""
    return envelope(json.dumps(content), **changes)


class Amazon:
    """Answers like the SNS host of a region, and records its requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []

    def fetch(self, host: str, target: str) -> bytes:
        self.requests.append((host, target))
        return authority().certificate


def reader_of(name: str, fetch: Callable[[str, str], bytes] | None = None) -> EventReader:
    """Return the event reader of a provider."""
    readers: dict[str, EventReader] = {
        "ses": Ses(SnsVerifier((TOPIC,), fetch or Amazon().fetch)),
        "sendgrid": SendGrid(verification_key(SENDGRID_WEBHOOK_PUBLIC_KEY)),
        "postmark": Postmark(POSTMARK),
        "mailgun": Mailgun(MAILGUN_WEBHOOK_SIGNING_KEY),
    }
    return readers[name]


SIGNED: dict[str, Callable[[Any], Request]] = {
    "ses": ses,
    "sendgrid": sendgrid,
    "postmark": postmark,
    "mailgun": mailgun,
}
