"""Three messages for the doctor's page: one that passes, one without a signature, one rewritten.

They are signed with a key of this process. The page finds its public half where a mailbox provider
would find it in the DNS, because the DNS has no records of these domains.
"""

from base64 import b64encode
from datetime import datetime
from functools import cache

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from preference_center.demo.campaign import DOMAIN, compose
from preference_center.demo.company import READER, TOPICS
from preference_center.doctor.link import Installation
from preference_center.i18n import Languages
from preference_center.links.headers import UnfoldedHeader
from preference_center.links.minter import Links, Minter
from preference_center.mail.dkim_keys import DnsKeys
from preference_center.settings.settings import Settings

GOOD, UNSIGNED, REWRITTEN = NAMES = ("good", "unsigned", "rewritten")
PUBLIC_URL = f"https://preferences.{DOMAIN}"  # Where the company's own pages would be.
_PROVIDER = "sendgrid.net"
_SELECTOR = "demo"
_SIGNED = (
    *(b"from", b"to", b"subject", b"date", b"message-id"),
    *(b"list-unsubscribe", b"list-unsubscribe-post", b"list-id"),
)
_TRACKED = "https://u4821903.ct.sendgrid.net/ls/click?upn=u001.4vHqT2mXbYwRkP"


class Keys:
    """The keys of the examples, and those in the DNS for other signatures."""

    def __init__(self) -> None:
        self._dns = DnsKeys()

    def find(self, where: str) -> bytes | None:
        """Return the record with this name, or None. Raise KeyUnknownError."""
        ours = {f"{_SELECTOR}._domainkey.{domain}" for domain in (DOMAIN, _PROVIDER)}
        return _record() if where in ours else self._dns.find(where)


def installation(settings: Settings, pasted: str) -> Installation:
    """Return the installation that a message is checked for: an example is the company's."""
    url = PUBLIC_URL if PUBLIC_URL in pasted else settings.public_url
    return Installation(url, settings.link_keys, settings.mail_from)


def message(name: str, settings: Settings, languages: Languages, now: datetime) -> bytes:
    """Return one of the examples."""
    topic = TOPICS[0]
    minter = Minter(
        public_url=PUBLIC_URL, link_keys=settings.link_keys, identity_key=settings.identity_key
    )
    links = minter.mint(READER, topic.slug, f"{now:%Y-%m-%d}", day=now.date(), list_name=topic.name)
    raw = _composed(links, languages, now, name)
    if name == UNSIGNED:
        return raw
    return _signature(raw, DOMAIN if name == GOOD else _PROVIDER) + raw


def _composed(links: Links, languages: Languages, now: datetime, name: str) -> bytes:
    topic = TOPICS[0]
    shown = {"unsubscribe_url": links.unsubscribe_url, "preferences_url": links.preferences_url}
    if name == REWRITTEN:
        shown = dict.fromkeys(shown, f"{_TRACKED}-2BsN")
    values = {
        "name": topic.name,
        "links": shown,
        "subject": "Weekly news: the harbour is open again",
        "story": "the harbour is open again, and on Friday there is music in the square.",
    }
    message = compose(languages, f"{topic.slug}-{now:%Y-%m-%d}", now, values)
    links.apply_to(message)
    if name == REWRITTEN:
        del message["List-Unsubscribe"]
        header = f"<mailto:unsubscribe@em7041.{DOMAIN}>, <{_TRACKED}>"
        message["List-Unsubscribe"] = UnfoldedHeader("List-Unsubscribe", header)
    return message.as_bytes()


def _signature(raw: bytes, domain: str) -> bytes:
    private = _key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    signed: bytes = dkim.sign(
        raw,
        _SELECTOR.encode(),
        domain.encode(),
        private,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=_SIGNED,
    )
    return signed


def _record() -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = _key().public_key().public_bytes(serialization.Encoding.DER, form)
    return b"v=DKIM1; k=rsa; p=" + b64encode(der)


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)
