"""Check single values of settings."""

import re
from email.errors import MessageError
from email.headerregistry import Address
from urllib.parse import SplitResult, parse_qs, urlsplit

from preference_center.links.addresses import is_mailable, normalise
from preference_center.links.minter import MIN_KEY_LENGTH

LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
DATABASE_URL = re.compile(
    r"sqlite:///.|postgresql\+psycopg://([^@/]*@)?(\[.*\]|[^:/]*)(:[0-9]+)?/."
)
ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
SNS_TOPIC_ARN = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):sns:(?P<region>[a-z0-9-]{5,30}):[0-9]{12}:"
    r"[A-Za-z0-9_-]{1,256}"
)
# A P-256 public key (SubjectPublicKeyInfo, uncompressed point) as DER in base64.
P256_KEY = re.compile(r"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE[A-Za-z0-9+/]{86}==")
_MIN_DISTINCT = 10  # characters


def is_strong(key: str) -> bool:
    """Return True if a key is long enough and is not guessable."""
    lower = key.lower()
    example = any(word in lower for word in ("example", "change", "secret", "password", "0123456"))
    return len(key) >= MIN_KEY_LENGTH and not example and len(set(key)) >= _MIN_DISTINCT


def database_problem(url: str) -> str | None:
    """Return what is wrong with the query of a PostgreSQL URL, or None."""
    query = parse_qs(url.partition("?")[2])
    hosts = [host for value in query.get("host", ()) for host in value.split(",")]
    if len(hosts) > 1 and query.get("target_session_attrs") not in (["read-write"], ["primary"]):
        # A standby would answer the audience check from the past.
        return "names several hosts, so it needs target_session_attrs=read-write"
    if len(query.get("host", ())) > 1 and "port" in query:
        return "must give each host its port: host=a:5432&host=b:5432"
    if len(hosts) > 1 and "pooling" in query:
        return "names several hosts, but a pooler does not tell which one is the primary"
    if query.get("pooling", ["transaction"]) != ["transaction"]:
        return "may have no other pooling than pooling=transaction"
    return None


def is_web_address(value: str) -> bool:
    """Return True for an http:// or https:// URL."""
    parts = split_url(value)
    return parts is not None and parts.scheme in {"https", "http"}


def is_origin(value: str) -> bool:
    """Return True for an origin in the form of the header `Origin`: https, or http on localhost."""
    parts = split_url(value)
    if parts is None or not ORIGIN.fullmatch(value):
        return False
    return is_secure(parts) and parts.port != {"https": 443, "http": 80}[parts.scheme]


def is_secure(parts: SplitResult) -> bool:
    """Return True for HTTPS, and for HTTP on this machine."""
    local = parts.scheme == "http" and parts.hostname in LOCAL_HOSTS
    return parts.scheme == "https" or local


def header_address(value: str) -> str | None:
    """Return an address as a header may have it, with its domain in ASCII, or None."""
    if not is_mailable(value):
        return None
    address = f"{value.rpartition('@')[0]}@{normalise(value).rpartition('@')[2]}"
    try:
        Address(addr_spec=address)
    except (ValueError, MessageError):
        return None
    return address


def is_mailbox(value: str) -> bool:
    """Return True for an IMAP URL with a user and a password."""
    parts = split_url(value)
    return (
        parts is not None
        and parts.scheme in {"imap", "imaps"}
        and bool(parts.username and parts.password)
        and not (parts.query or parts.fragment)
    )


def split_url(value: str) -> SplitResult | None:
    """Return the parts of a URL, or None if it has no host or an impossible port."""
    try:
        parts = urlsplit(value)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None
