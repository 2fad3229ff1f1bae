"""Verify Amazon SNS messages: signed envelopes, delivered over HTTPS.

Anyone can create a topic whose messages Amazon signs. So only topics that the operator listed are
accepted, and certificates are fetched only from the SNS host of the topic's region.
Source: Amazon SNS, "Verifying the signatures of Amazon SNS messages".
"""

import logging
import re
import threading
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException, HTTPSConnection
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificate

from preference_center.providers.event import (
    InvalidSignatureError,
    VerificationUnavailableError,
    check_signing_time,
)
from preference_center.providers.fields import JsonObject
from preference_center.settings.checks import SNS_TOPIC_ARN

log = logging.getLogger(__name__)

_CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[0-9a-f]{1,64}\.pem")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]
# A topic signs with SHA-1 (version 1) unless it is configured to use SHA-256 (version 2).
_HASHES = {"1": SHA1, "2": SHA256}
_TIMEOUT_SECONDS = 3
_MAX_RESPONSE_BYTES = 65_536


def fetch(host: str, target: str) -> bytes:
    """Return the response to an HTTPS GET request; redirects are not followed.

    Raise InvalidSignatureError for a 4xx status, VerificationUnavailableError for other failures.
    """
    connection = HTTPSConnection(host, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        body = response.read(_MAX_RESPONSE_BYTES)
    except (OSError, HTTPException) as error:
        raise VerificationUnavailableError(
            f"{host} does not respond ({type(error).__name__})"
        ) from error
    finally:
        connection.close()
    if 400 <= response.status < 500:
        raise InvalidSignatureError(f"Amazon SNS responded with status {response.status}")
    if response.status != 200:
        raise VerificationUnavailableError(f"{host} responded with status {response.status}")
    return body


@dataclass
class SnsVerifier:
    """Verifies envelopes from `topics`, a tuple of ARNs."""

    topics: tuple[str, ...]
    fetch: Callable[[str, str], bytes] = fetch
    _certificates: dict[tuple[str, str], Certificate] = field(default_factory=dict)
    _fetching: threading.Lock = field(default_factory=threading.Lock)

    def open(self, envelope: JsonObject, now: datetime) -> str:
        """Verify an envelope, and return the message of a notification, or "".

        Confirms subscriptions to listed topics. Raise InvalidSignatureError or
        VerificationUnavailableError.
        """
        kind, topic = envelope.text("Type"), envelope.text("TopicArn")
        if topic not in self.topics:
            raise InvalidSignatureError("unknown topic ARN")
        if kind not in _SIGNED:
            raise InvalidSignatureError("unknown envelope type")
        check_signing_time(envelope.time("Timestamp"), now)
        host = host_of(topic)
        self._verify(envelope, host, now)
        if kind == "SubscriptionConfirmation":
            self._confirm(envelope, host)
        elif kind == "UnsubscribeConfirmation":
            log.warning(
                "the subscription to SNS topic %s was ended: no more events will arrive", topic
            )
        return envelope.text("Message") if kind == "Notification" else ""

    def _verify(self, envelope: JsonObject, host: str, now: datetime) -> None:
        algorithm = _HASHES.get(envelope.text("SignatureVersion"))
        if algorithm is None:
            raise InvalidSignatureError("unknown signature version")
        certificate = self._certificate(envelope.text("SigningCertURL"), host)
        key = certificate.public_key()
        valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
        if not valid or not isinstance(key, RSAPublicKey):
            raise InvalidSignatureError("the certificate is not valid now, or has no RSA key")
        try:
            signature = b64decode(envelope.text("Signature"), validate=True)
            key.verify(signature, _string_to_sign(envelope), PKCS1v15(), algorithm())
        except (ValueError, InvalidSignature) as error:
            raise InvalidSignatureError("the signature is wrong") from error

    def _certificate(self, url: str, host: str) -> Certificate:
        path = _path_at(url, host)
        if not _CERTIFICATE_PATH.fullmatch(path):
            raise InvalidSignatureError("the certificate URL is not an SNS certificate")
        known = self._certificates.get((host, path))
        return known or self._fetch_certificate(host, path)

    def _fetch_certificate(self, host: str, path: str) -> Certificate:
        # One at a time: requests with made-up certificate URLs must not occupy every thread.
        if not self._fetching.acquire(blocking=False):
            raise VerificationUnavailableError("another certificate is being fetched")
        try:
            certificate = load_pem_x509_certificate(self.fetch(host, path))
        except ValueError as error:
            raise InvalidSignatureError("the certificate is malformed") from error
        finally:
            self._fetching.release()
        self._certificates[host, path] = certificate
        return certificate

    def _confirm(self, envelope: JsonObject, host: str) -> None:
        target = _path_at(envelope.text("SubscribeURL"), host)
        query = parse_qs(target.partition("?")[2])
        if query.get("Action") != ["ConfirmSubscription"]:
            raise InvalidSignatureError("the subscription URL does not confirm a subscription")
        self.fetch(host, target)


def host_of(topic: str) -> str:
    """Return the SNS host in the region of a topic."""
    found = SNS_TOPIC_ARN.fullmatch(topic)
    if found is None:
        raise InvalidSignatureError("malformed topic ARN")
    end = ".cn" if found["partition"] == "aws-cn" else ""
    return f"sns.{found['region']}.amazonaws.com{end}"


def _path_at(url: str, host: str) -> str:
    """Return path and query of an HTTPS URL at this host. Raise InvalidSignatureError."""
    start = f"https://{host}/"
    if not url.startswith(start) or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidSignatureError("a URL is not on the Amazon SNS host of the topic's region")
    return url[len(start) - 1 :]


def _string_to_sign(envelope: JsonObject) -> bytes:
    values = [(name, envelope.text(name)) for name in _SIGNED[envelope.text("Type")]]
    if any("\n" in value for name, value in values if name != "Message"):
        # Otherwise one field could pass for two.
        raise InvalidSignatureError("a field contains a line break")
    # A missing subject is not signed.
    return "".join(f"{name}\n{value}\n" for name, value in values if value).encode()
