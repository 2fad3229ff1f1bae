"""Mint and read signed links, and build the `List-*` headers that carry them.

A sender's own program imports this module alone: no Flask, no database, no network.

    >>> from datetime import date
    >>> minter = Minter(
    ...     public_url="https://mail.example.org",
    ...     link_keys=["a-key-of-at-least-32-characters-1"],
    ...     identity_key="another-key-of-32-characters-or-more",
    ... )
    >>> links = minter.mint("ada@example.org", "weekly-news", "2026-47", day=date(2026, 11, 22))
    >>> links.list_id
    '<weekly-news.lists.mail.example.org>'

The format is frozen: links sent years ago must work. `docs/link-format.md` describes it, with
vectors for other languages. Sources: RFC 8058, RFC 2369, RFC 2919.
"""

import hashlib
import hmac
import re
from base64 import b32decode, b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.message import EmailMessage
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from preference_center.links.addresses import subscriber_id
from preference_center.links.headers import UnfoldedHeader, phrase
from preference_center.links.signing import BadLink, sign, unsign

Purpose = Literal["unsubscribe", "preferences"]

SLUG = re.compile(r"[a-z0-9-]{1,32}")
MIN_KEY_LENGTH = 32  # characters; 128 bits even where they are hexadecimal
# Mail clients re-encode any other character in a path (requirement M1).
PUBLIC_URL = re.compile(
    r"(?=.{1,200}$)https?://[A-Za-z0-9.:\[\]-]+(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)*"
)
DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
CAMPAIGN = re.compile(r"[A-Za-z0-9._-]{1,40}")

_MAIL_VERSION = b"\x01"
_MAIL_SIGNATURE_BYTES = 15
_MAIL_PURPOSES = {"u": b"mailto", "b": b"bounce"}


@dataclass(frozen=True)
class Link:
    """What an `unsubscribe` or a `preferences` link says."""

    day: date
    subscriber_id: UUID
    topic: str
    campaign: str


@dataclass(frozen=True)
class Links:
    """One person's links and headers for one campaign of one topic.

    `event_token` tells a mail provider's events whose mail they are about: a custom argument of
    the message. `return_path` is the envelope sender that brings bounces back to us, for one's own
    mail server; "" where no mail is received.
    """

    id: UUID
    unsubscribe_url: str
    preferences_url: str
    list_unsubscribe: str
    list_unsubscribe_post: str
    list_id: str
    event_token: str
    return_path: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Return the three headers as pairs, for an ESP's API and for other mail libraries.

        The values are strings which no library that writes through Python's email package folds
        into encoded words: Flask-Mail and Django 6 do that to plain ones of this length.
        """
        values = {
            "List-Unsubscribe": self.list_unsubscribe,
            "List-Unsubscribe-Post": self.list_unsubscribe_post,
            "List-Id": self.list_id,
        }
        return {name: UnfoldedHeader(name, value) for name, value in values.items()}

    def apply_to(self, message: EmailMessage) -> None:
        """Give `message` exactly one of each header, whole under every policy it is sent with."""
        for name, value in self.headers.items():
            del message[name]
            message[name] = value


class Minter:
    """Mint the links of one installation.

    Args:
        public_url: where the pages live, `https://`, with or without a path.
        link_keys: oldest to newest; the last one signs.
        identity_key: turns an address into a subscriber id; never changes.
        inbound_domain: where mail to `u-…@` is received; without it no `mailto:` is offered.
    """

    def __init__(
        self,
        *,
        public_url: str,
        link_keys: Sequence[str],
        identity_key: str,
        inbound_domain: str | None = None,
    ) -> None:
        if isinstance(link_keys, str) or not all(link_keys) or not link_keys:
            raise ValueError("link_keys is a list of keys, oldest to newest, none of them empty")
        if any(len(key) < MIN_KEY_LENGTH for key in (*link_keys, identity_key)):
            raise ValueError(f"a key is at least {MIN_KEY_LENGTH} random characters")
        if not PUBLIC_URL.fullmatch(public_url.rstrip("/")):
            raise ValueError("public_url is https://, a host and a path, without % , ? or spaces")
        if inbound_domain is not None and not DOMAIN.fullmatch(inbound_domain):
            raise ValueError("inbound_domain is not a domain name")
        self.public_url = public_url.rstrip("/")
        self.link_keys = tuple(link_keys)
        self.identity_key = identity_key
        self.inbound_domain = inbound_domain
        self._host = urlsplit(public_url).hostname or ""

    def mint(
        self,
        person: str | UUID,
        topic: str,
        campaign: str,
        *,
        day: date | None = None,
        list_name: str = "",
    ) -> Links:
        """Return the links of `person`, an address or a subscriber id.

        `day` is the day of minting (UTC, today by default); `list_name` becomes the phrase of the
        List-Id where it is plain ASCII. Raises ValueError for a topic or campaign whose
        characters could not stand in a link.
        """
        person_id = person if isinstance(person, UUID) else self.fingerprint(person)
        link = Link(day or datetime.now(UTC).date(), person_id, topic, campaign)
        unsubscribe_url = f"{self.public_url}/u/{write_link('unsubscribe', link, self.link_keys)}"
        preferences_url = f"{self.public_url}/p/{write_link('preferences', link, self.link_keys)}"
        token = write_return_path(person_id, topic, self.link_keys)
        return Links(
            id=person_id,
            unsubscribe_url=unsubscribe_url,
            preferences_url=preferences_url,
            list_unsubscribe=f"<{unsubscribe_url}>{self._mailto(person_id, topic)}",
            list_unsubscribe_post="List-Unsubscribe=One-Click",
            list_id=f"{phrase(list_name)}<{topic}.lists.{self._host}>",
            event_token=token,
            return_path=f"{token}@{self.inbound_domain}" if self.inbound_domain else "",
        )

    def fingerprint(self, address: str) -> UUID:
        """Return the subscriber id of an address: `Ada <ada@example.org>` is ada@example.org.

        It never raises: a text that is not clearly one address has an id of its own.
        """
        return subscriber_id(address, self.identity_key)

    def _mailto(self, subscriber_id: UUID, topic: str) -> str:
        if self.inbound_domain is None:
            return ""
        token = write_mailto(subscriber_id, topic, self.link_keys)
        return f", <mailto:{token}@{self.inbound_domain}?subject=unsubscribe>"


def write_link(purpose: Purpose, link: Link, keys: Sequence[str]) -> str:
    """Return the signed text of `link`, without the path before it."""
    if not SLUG.fullmatch(link.topic):
        raise ValueError(f"a topic is 1 to 32 of a-z, 0-9 and -, not {link.topic!r}")
    if not CAMPAIGN.fullmatch(link.campaign):
        raise ValueError(
            f"a campaign is 1 to 40 of A-Z, a-z, 0-9, - _ and ., not {link.campaign!r}"
        )
    return sign(purpose, link.day, link.subscriber_id, f"{link.topic}.{link.campaign}", keys)


def read_link(purpose: Purpose, text: str, keys: Sequence[str]) -> Link:
    """Return what a signed link says, or raise BadLink."""
    day, subscriber_id, rest = unsign(purpose, text, keys)
    topic, _, campaign = rest.partition(".")
    if not (SLUG.fullmatch(topic) and CAMPAIGN.fullmatch(campaign)):
        raise BadLink
    return Link(day, subscriber_id, topic, campaign)


def topic_code(topic: str) -> bytes:
    """Return the five bytes that stand for `topic` in a mailto token."""
    return hashlib.sha256(topic.encode()).digest()[:5]


def write_mailto(subscriber_id: UUID, topic: str, keys: Sequence[str]) -> str:
    """Return the local part of a mailto unsubscribe: 62 characters, in any case (RFC 5321)."""
    return _write_mail_token("u", subscriber_id, topic, keys)


def write_return_path(subscriber_id: UUID, topic: str, keys: Sequence[str]) -> str:
    """Return the local part that bounces of one person's mail come back to (VERP)."""
    return _write_mail_token("b", subscriber_id, topic, keys)


def read_mailto(local_part: str, keys: Sequence[str]) -> tuple[UUID, bytes]:
    """Return the subscriber id and topic code of a mailto local part, or raise BadLink."""
    kind, subscriber_id, code = read_mail_token(local_part, keys)
    if kind != "u":
        raise BadLink
    return subscriber_id, code


def read_mail_token(local_part: str, keys: Sequence[str]) -> tuple[str, UUID, bytes]:
    """Return what a local part is for (`u` or `b`), its person and topic code, or raise BadLink."""
    if not local_part.isascii():  # the Kelvin sign, for one, has "k" for its lower case
        raise BadLink
    kind, _, token = local_part.lower().partition("-")
    if kind not in _MAIL_PURPOSES:
        raise BadLink
    try:
        raw = b32decode(token.upper() + "=" * (-len(token) % 8))
    except ValueError as error:
        raise BadLink from error
    body, signature = raw[:-_MAIL_SIGNATURE_BYTES], raw[-_MAIL_SIGNATURE_BYTES:]
    signed = any(hmac.compare_digest(_mail_signature(kind, body, key), signature) for key in keys)
    canonical = b32encode(raw).decode().rstrip("=").lower() == token
    if not (signed and canonical and body[:1] == _MAIL_VERSION and len(body) == 22):
        raise BadLink
    return kind, UUID(bytes=body[1:17]), body[17:]


def _write_mail_token(kind: str, subscriber_id: UUID, topic: str, keys: Sequence[str]) -> str:
    body = _MAIL_VERSION + subscriber_id.bytes + topic_code(topic)
    token = b32encode(body + _mail_signature(kind, body, keys[-1])).decode().rstrip("=")
    return f"{kind}-{token.lower()}"


def _mail_signature(kind: str, body: bytes, key: str) -> bytes:
    derived = hmac.digest(key.encode(), _MAIL_PURPOSES[kind], "sha256")
    return hmac.digest(derived, body, "sha256")[:_MAIL_SIGNATURE_BYTES]
