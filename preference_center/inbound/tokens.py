"""Signed tokens in addresses and links of inbound messages."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from uuid import UUID

from preference_center.links.mail_tokens import read_mail_token
from preference_center.links.minter import read_link
from preference_center.links.signing import BadLink

_SHAPE = re.compile(r"[ub]-[a-z2-7]{60}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class MailToken:
    """The contents of a token: its subscriber, topic and purpose.

    `kind` is "u" for an unsubscribe address and "b" for a return path. A link names the topic, an
    address the topic's code.
    """

    kind: str
    subscriber_id: UUID
    topic: str | None = None
    code: bytes | None = None


def in_addresses(addresses: Iterable[str], keys: Sequence[str]) -> Iterator[MailToken]:
    """Yield the tokens that are signed in the local parts of addresses."""
    for address in addresses:
        try:
            kind, subscriber_id, code = read_mail_token(_local_part(address), keys)
        except BadLink:
            continue
        yield MailToken(kind, subscriber_id, code=code)


def in_links(uris: Iterable[str], keys: Sequence[str]) -> Iterator[MailToken]:
    """Yield the tokens in the URIs of a List-Unsubscribe header."""
    for uri in uris:
        try:
            parts = urlsplit(uri)
        except ValueError:
            continue
        if parts.scheme == "mailto":
            yield from in_addresses([unquote(parts.path)], keys)
            continue
        try:
            link = read_link("unsubscribe", parts.path.rpartition("/")[2], keys)
        except BadLink:
            continue
        yield MailToken("u", link.subscriber_id, topic=link.topic)


def is_return_path(address: str, keys: Sequence[str]) -> bool:
    """Return True if an address is the envelope sender of one of our emails."""
    try:
        return read_mail_token(_local_part(address), keys)[0] == "b"
    except BadLink:
        return False


def is_forged(address: str, keys: Sequence[str]) -> bool:
    """Return True if an address looks like a token, but none of the keys has signed it."""
    local_part = _local_part(address)
    if not _SHAPE.fullmatch(local_part):
        return False
    try:
        read_mail_token(local_part, keys)
    except BadLink:
        return True
    return False


def _local_part(address: str) -> str:
    bare = address.strip("<> ")
    return bare.rpartition("@")[0] or bare
