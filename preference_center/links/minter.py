"""Mint and read signed links, and build the `List-*` headers that carry them.

A sender's program can import this module on its own: it needs no Flask, database or network.
`Minter` shows how. The format is frozen, so that links in old emails keep working;
`docs/link-format.md` specifies it, with test vectors for other languages.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.message import EmailMessage
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from preference_center.links import cleaning
from preference_center.links.headers import UnfoldedHeader, feedback_id, phrase
from preference_center.links.mail_tokens import write_mailto, write_return_path
from preference_center.links.signing import BadLink, payload, sign, unsign

Purpose = Literal["unsubscribe", "preferences"]

SLUG = re.compile(r"[a-z0-9-]{1,32}")
CAMPAIGN = re.compile(r"[A-Za-z0-9._-]{1,40}")
DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
TEST_CAMPAIGN = "test"  # Its links show what a press would do, and nothing is written.
MIN_KEY_LENGTH = 32  # characters; 128 bits even if they are hexadecimal
# Mail clients re-encode any other character in a path (requirement M1).
PUBLIC_URL = re.compile(
    r"(?=.{1,200}$)https?://[A-Za-z0-9.:\[\]-]+(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)*"
)


@dataclass(frozen=True)
class Link:
    """The content of an `unsubscribe` or a `preferences` link. `day` is the day of minting."""

    day: date
    subscriber_id: UUID
    topic: str
    campaign: str


class Links(NamedTuple):
    """The links and header values of one recipient's email.

    Links are personal: never send the same email to two recipients.

    Attributes:
        id: the subscriber id of the recipient.
        unsubscribe_url: the page where the recipient unsubscribes; put it into the body.
        preferences_url: the page where the recipient chooses topics and frequencies.
        list_unsubscribe: the value of `List-Unsubscribe` (RFC 2369 §3.2): `unsubscribe_url`, and
            a `mailto:` if the minter has an `inbound_domain`.
        list_unsubscribe_post: the value of `List-Unsubscribe-Post` (RFC 8058 §3.1), which makes
            `unsubscribe_url` a one-click unsubscribe. DKIM must sign both headers (RFC 8058 §4).
        list_id: the value of `List-Id` (RFC 2919 §3).
        feedback_id: the value of `Feedback-ID`, by which Gmail's Postmaster Tools count complaints
            for each campaign and topic. It is optional and not among `headers`: many providers add
            their own, and DKIM must sign it.
        event_token: identifies recipient and topic in an email provider's event webhooks; pass it
            to the provider as a custom argument of the message.
        return_path: an envelope sender that identifies recipient and topic in bounces, for your
            own mail server; "" if the minter has no `inbound_domain`.
    """

    id: UUID
    unsubscribe_url: str
    preferences_url: str
    list_unsubscribe: str
    list_unsubscribe_post: str
    list_id: str
    feedback_id: str
    event_token: str
    return_path: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Return the three headers by name, for a provider's API or another email library.

        Pass the values on unchanged. They are `UnfoldedHeader`s: a copy (`str(value)`, an
        f-string) is a plain string, which Python's email package, and so Flask-Mail and Django 6,
        would write as an RFC 2047 encoded word that no mailbox provider reads.
        """
        values = {
            "List-Unsubscribe": self.list_unsubscribe,
            "List-Unsubscribe-Post": self.list_unsubscribe_post,
            "List-Id": self.list_id,
        }
        return {name: UnfoldedHeader(name, value) for name, value in values.items()}

    def apply_to(self, message: EmailMessage) -> None:
        """Set the three headers of `message`, in place of any that it has."""
        for name, value in self.headers.items():
            del message[name]
            message[name] = value


class Minter:
    """Mints the links of one installation. It may be shared between threads.

    Create one when your program starts, and call `mint` for each recipient of each mailing:

        >>> from datetime import date
        >>> from email.message import EmailMessage
        >>> minter = Minter(
        ...     public_url="https://mail.example.org",
        ...     link_keys=["a-key-of-at-least-32-characters-1"],
        ...     identity_key="another-key-of-32-characters-or-more",
        ... )
        >>> links = minter.mint("ada@example.org", "weekly-news", "2026-47", day=date(2026, 11, 22))
        >>> links.unsubscribe_url  # doctest: +ELLIPSIS
        'https://mail.example.org/u/1.20779.J3YGUP0gQRa_Z7nwhv8o1A.weekly-news.2026-47.PbIz2...'
        >>> message = EmailMessage()
        >>> links.apply_to(message)
        >>> message["List-Unsubscribe-Post"]
        'List-Unsubscribe=One-Click'
        >>> message["List-Id"]
        '<weekly-news.lists.mail.example.org>'

    Args:
        public_url: the installation's `PUBLIC_URL`, with or without a path. RFC 8058 requires
            `https://`; `http://` is for tests.
        link_keys: its `LINK_KEYS`, oldest first. The last one signs; all of them verify.
        identity_key: its `IDENTITY_KEY`, which turns an address into a subscriber id. It must
            never change.
        inbound_domain: its `INBOUND_DOMAIN`, where it receives email. Without one, links have no
            `mailto:` and no return path.

    Raises:
        ValueError: an argument cannot be used. The message says which, and contains no key.
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
            raise ValueError("link_keys must be a list of keys, oldest first, none of them empty")
        if any(len(key) < MIN_KEY_LENGTH for key in (*link_keys, identity_key)):
            raise ValueError(f"each key must have at least {MIN_KEY_LENGTH} random characters")
        if not PUBLIC_URL.fullmatch(public_url.rstrip("/")):
            raise ValueError("public_url must be a URL like https://mail.example.org/center")
        if inbound_domain is not None and not DOMAIN.fullmatch(inbound_domain):
            raise ValueError("inbound_domain must be a domain name")
        self.public_url = public_url.rstrip("/")
        self.link_keys = tuple(link_keys)
        self.identity_key = identity_key
        self.inbound_domain = inbound_domain
        self._host = urlsplit(public_url).hostname or ""

    def mint(
        self,
        recipient: str | UUID,
        topic: str,
        campaign: str,
        *,
        day: date | None = None,
        list_name: str = "",
    ) -> Links:
        """Return the links and headers of one recipient.

        Args:
            recipient: an email address or a subscriber id.
            topic: the topic's slug: 1 to 32 characters of `a-z`, `0-9` and `-`.
            campaign: your name for this mailing: 1 to 40 characters of `A-Z`, `a-z`, `0-9`, `-`,
                `_` and `.`. The links of `test` can be tried: they change nothing. They have no
                `mailto:`, because an email to it would unsubscribe.
            day: the day of minting in UTC; today by default.
            list_name: the topic's name, for the phrase of the List-Id. It is left out unless it is
                plain ASCII.

        Raises:
            ValueError: `topic` or `campaign` has another length or other characters.
        """
        subscriber_id = self.subscriber_id(recipient) if isinstance(recipient, str) else recipient
        day = day or datetime.now(UTC).date()
        content = payload(day, subscriber_id, _mailing(topic, campaign))
        unsubscribe_url = f"{self.public_url}/u/{sign('unsubscribe', content, self.link_keys)}"
        preferences_url = f"{self.public_url}/p/{sign('preferences', content, self.link_keys)}"
        token = write_return_path(subscriber_id, topic, self.link_keys)
        return Links(
            id=subscriber_id,
            unsubscribe_url=unsubscribe_url,
            preferences_url=preferences_url,
            list_unsubscribe=f"<{unsubscribe_url}>{self._mailto(subscriber_id, topic, campaign)}",
            list_unsubscribe_post="List-Unsubscribe=One-Click",
            list_id=f"{phrase(list_name)}<{topic}.lists.{self._host}>",
            feedback_id=feedback_id(campaign, topic, self._host),
            event_token=token,
            return_path=f"{token}@{self.inbound_domain}" if self.inbound_domain else "",
        )

    def subscriber_id(self, address: str) -> UUID:
        """Return the subscriber id of an address; `Ada <ada@example.org>` is ada@example.org.

        It never raises: a text that is not clearly one address has a subscriber id of its own.
        """
        return cleaning.subscriber_id(address, self.identity_key)

    def _mailto(self, subscriber_id: UUID, topic: str, campaign: str) -> str:
        if self.inbound_domain is None or campaign == TEST_CAMPAIGN:
            return ""
        token = write_mailto(subscriber_id, topic, self.link_keys)
        return f", <mailto:{token}@{self.inbound_domain}?subject=unsubscribe>"


def write_link(purpose: Purpose, link: Link, keys: Sequence[str]) -> str:
    """Return the signed text of a link, without the path in front.

    Raises:
        ValueError: the topic or the campaign has the wrong length or characters.
    """
    mailing = _mailing(link.topic, link.campaign)
    return sign(purpose, payload(link.day, link.subscriber_id, mailing), keys)


@lru_cache(maxsize=256)
def _mailing(topic: str, campaign: str) -> str:
    """Return how a link names a topic and a campaign, or raise ValueError."""
    if not SLUG.fullmatch(topic):
        raise ValueError(f"a topic must be 1 to 32 of a-z, 0-9 and -, not {topic!r}")
    if not CAMPAIGN.fullmatch(campaign):
        raise ValueError(
            f"a campaign must be 1 to 40 of A-Z, a-z, 0-9, -, _ and ., not {campaign!r}"
        )
    return f"{topic}.{campaign}"


def read_link(purpose: Purpose, text: str, keys: Sequence[str]) -> Link:
    """Return the content of a signed link, or raise BadLink."""
    day, subscriber_id, rest = unsign(purpose, text, keys)
    topic, _, campaign = rest.partition(".")
    if not (SLUG.fullmatch(topic) and CAMPAIGN.fullmatch(campaign)):
        raise BadLink
    return Link(day, subscriber_id, topic, campaign)
