"""Amazon SNS: a signed envelope around what a topic says (notifications over HTTPS).

Anybody can have a topic and let Amazon sign what it says, so only the topics that the operator
named are heard, and a certificate comes only from the SNS host of such a topic's own region.
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
    refuse_what_is_old,
)
from preference_center.providers.fields import JsonObject

log = logging.getLogger(__name__)

TOPIC_ARN = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):sns:(?P<region>[a-z0-9-]{5,30}):[0-9]{12}:"
    r"[A-Za-z0-9_-]{1,256}"
)
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
# A topic signs with SHA-1 (version 1) unless it is told to use SHA-256 (version 2).
_HASHES = {"1": SHA1, "2": SHA256}
_SECONDS_FOR_AN_ANSWER = 3
_MAX_ANSWER = 65_536  # bytes


def fetch(host: str, target: str) -> bytes:
    """Return what a host answers over HTTPS, no redirect followed.

    Raise ForgedError where it knows of nothing there, AwayError where it cannot say now.
    """
    connection = HTTPSConnection(host, timeout=_SECONDS_FOR_AN_ANSWER)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        body = answer.read(_MAX_ANSWER)
    except (OSError, HTTPException) as error:
        raise VerificationUnavailableError(
            f"{host} does not answer ({type(error).__name__})"
        ) from error
    finally:
        connection.close()
    if 400 <= answer.status < 500:
        raise InvalidSignatureError
    if answer.status != 200:
        raise VerificationUnavailableError(f"{host} answers {answer.status}")
    return body


@dataclass
class SnsVerifier:
    """Opens what comes from one of `topics`, by their ARNs."""

    topics: tuple[str, ...]
    fetch: Callable[[str, str], bytes] = fetch
    _certificates: dict[tuple[str, str], Certificate] = field(default_factory=dict)
    _fetching: threading.Lock = field(default_factory=threading.Lock)

    def open(self, envelope: JsonObject, now: datetime) -> str:
        """Return the message of a notification, or "" for an envelope without one.

        A subscription that the operator asked for is confirmed. Raise ForgedError or AwayError.
        """
        kind, topic = envelope.text("Type"), envelope.text("TopicArn")
        if topic not in self.topics or kind not in _SIGNED:
            raise InvalidSignatureError
        refuse_what_is_old(envelope.time("Timestamp"), now)
        host = host_of(topic)
        self._verify(envelope, host, now)
        if kind == "SubscriptionConfirmation":
            self._confirm(envelope, host)
        elif kind == "UnsubscribeConfirmation":
            log.warning("%s tells us nothing more: its subscription was ended", topic)
        return envelope.text("Message") if kind == "Notification" else ""

    def _verify(self, envelope: JsonObject, host: str, now: datetime) -> None:
        algorithm = _HASHES.get(envelope.text("SignatureVersion"))
        if algorithm is None:
            raise InvalidSignatureError
        certificate = self._certificate(envelope.text("SigningCertURL"), host)
        key = certificate.public_key()
        valid = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
        if not valid or not isinstance(key, RSAPublicKey):
            raise InvalidSignatureError
        try:
            signature = b64decode(envelope.text("Signature"), validate=True)
            key.verify(signature, _string_to_sign(envelope), PKCS1v15(), algorithm())
        except (ValueError, InvalidSignature) as error:
            raise InvalidSignatureError from error

    def _certificate(self, url: str, host: str) -> Certificate:
        path = _path_at(url, host)
        if not _CERTIFICATE_PATH.fullmatch(path):
            raise InvalidSignatureError
        known = self._certificates.get((host, path))
        return known or self._fetch_certificate(host, path)

    def _fetch_certificate(self, host: str, path: str) -> Certificate:
        # One at a time: paths that somebody made up must not hold every thread.
        if not self._fetching.acquire(blocking=False):
            raise VerificationUnavailableError("another certificate is being fetched")
        try:
            certificate = load_pem_x509_certificate(self.fetch(host, path))
        except ValueError as error:
            raise InvalidSignatureError from error
        finally:
            self._fetching.release()
        self._certificates[host, path] = certificate
        return certificate

    def _confirm(self, envelope: JsonObject, host: str) -> None:
        target = _path_at(envelope.text("SubscribeURL"), host)
        asked = parse_qs(target.partition("?")[2])
        if asked.get("Action") != ["ConfirmSubscription"]:
            raise InvalidSignatureError
        self.fetch(host, target)


def host_of(topic: str) -> str:
    """Return the host of SNS in the region of a topic."""
    found = TOPIC_ARN.fullmatch(topic)
    if found is None:
        raise InvalidSignatureError
    end = ".cn" if found["partition"] == "aws-cn" else ""
    return f"sns.{found['region']}.amazonaws.com{end}"


def _path_at(url: str, host: str) -> str:
    """Return path and query of an HTTPS address at exactly this host, else raise ForgedError."""
    start = f"https://{host}/"
    if not url.startswith(start) or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidSignatureError
    return url[len(start) - 1 :]


def _string_to_sign(envelope: JsonObject) -> bytes:
    values = [(name, envelope.text(name)) for name in _SIGNED[envelope.text("Type")]]
    if any("\n" in value for name, value in values if name != "Message"):
        raise InvalidSignatureError  # one field could pass for two
    # A notification without a subject is signed without one.
    return "".join(f"{name}\n{value}\n" for name, value in values if value).encode()
