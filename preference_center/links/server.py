"""Links that only the server mints, with `SERVER_KEYS`.

What a link may do depends on who can hold it:

- Senders mint `unsubscribe` and `preferences` links for emails, which may be forwarded. Both can
  unsubscribe, reduce and pause. A `preferences` link can also resume a topic or lift a frequency
  cap; the subscriber always gets a change notice with undo. Neither can start a topic or remove a
  suppression.
- A `confirm` link is only ever emailed to the subscriber. It starts one topic, and removes
  unsubscribes and suppressions that are older than the link. After a complaint, a `preferences`
  link can no longer request one.
- A `sign-up` link is only ever emailed to the address that was typed into a form. It starts what
  was asked for, once, also after a complaint, a bounce or an erasure that is older than the
  request. It can also stop every email to the address.
- A `signed-in` link is given to the sender's program, with an API key, for a customer who is signed
  in at the sender's site. For 15 minutes it can also start topics at once, and lift unsubscribes of
  the customer's own.
- An `account` link is only ever emailed to the subscriber. For an hour it can show, take and erase
  what is on record about them, and complain.
- A `receipt` link undoes exactly the changes of one form, for 30 days.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from preference_center.links.minter import SLUG, TEST_CAMPAIGN
from preference_center.links.signing import BadLink, payload, sign, unsign

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)

SIGNED_IN_LIFETIME = timedelta(minutes=15)
ACCOUNT_LIFETIME = timedelta(hours=1)  # counted from when its email is sent
SIGN_UP_CAMPAIGN = "sign-up"  # of the changes that are made through the link of a sign-up
SIGNED_IN_CAMPAIGN = "signed-in"  # of the changes that are made through a signed-in link
# The campaigns of preferences links that the server mints itself, and that of links that are tried.
# No mailing may use these names.
OWN_CAMPAIGNS = frozenset(
    {
        *("receipt", "confirm", "change_notice", "link", "account"),
        *(SIGN_UP_CAMPAIGN, SIGNED_IN_CAMPAIGN, TEST_CAMPAIGN),
    }
)


@dataclass(frozen=True)
class Receipt:
    """The content of a `receipt` link: rows `first` to `last` of one subscriber's ledger."""

    day: date
    subscriber_id: UUID
    first: int
    last: int


@dataclass(frozen=True)
class Confirm:
    """The content of a `confirm` link, which starts `topic` for a subscriber.

    The link expires counting from `day`, the day it was minted. It removes only unsubscribes that
    are older than `asked_at`, the time at which it was requested.
    """

    day: date
    subscriber_id: UUID
    topic: str
    asked_at: datetime


@dataclass(frozen=True)
class SignUpLink:
    """The content of a `sign-up` link, which names a sign-up. `day` is the day of minting."""

    day: date
    subscriber_id: UUID
    sign_up_id: UUID


@dataclass(frozen=True)
class SignedIn:
    """The content of a `signed-in` link, for whole seconds. `day` is the day of minting."""

    day: date
    subscriber_id: UUID
    expires_at: datetime


@dataclass(frozen=True)
class Account:
    """The content of an `account` link, for whole seconds. `day` is the day of minting."""

    day: date
    subscriber_id: UUID
    expires_at: datetime


def write_receipt(receipt: Receipt, keys: Sequence[str]) -> str:
    """Return the signed text of a receipt link, without the path in front."""
    rows = f"{receipt.first}.{receipt.last}"
    return sign("receipt", payload(receipt.day, receipt.subscriber_id, rows), keys)


def read_receipt(text: str, keys: Sequence[str]) -> Receipt:
    """Return the content of a signed receipt link, or raise BadLink."""
    day, subscriber_id, rest = unsign("receipt", text, keys)
    rows = re.fullmatch(r"([1-9][0-9]{0,8})\.([1-9][0-9]{0,8})", rest)
    if rows is None:
        raise BadLink
    return Receipt(day, subscriber_id, int(rows[1]), int(rows[2]))


def write_confirm(confirm: Confirm, keys: Sequence[str]) -> str:
    """Return the signed text of a confirm link, without the path in front."""
    rest = f"{confirm.topic}.{(confirm.asked_at - _EPOCH) // _MICROSECOND}"
    return sign("confirm", payload(confirm.day, confirm.subscriber_id, rest), keys)


def read_confirm(text: str, keys: Sequence[str]) -> Confirm:
    """Return the content of a signed confirm link, or raise BadLink."""
    day, subscriber_id, rest = unsign("confirm", text, keys)
    topic, _, asked = rest.partition(".")
    if not (SLUG.fullmatch(topic) and re.fullmatch(r"[1-9][0-9]{0,16}", asked)):
        raise BadLink
    return Confirm(day, subscriber_id, topic, _EPOCH + int(asked) * _MICROSECOND)


def write_sign_up(link: SignUpLink, keys: Sequence[str]) -> str:
    """Return the signed text of a sign-up's link, without the path in front."""
    return sign("sign-up", payload(link.day, link.subscriber_id, link.sign_up_id.hex), keys)


def read_sign_up(text: str, keys: Sequence[str]) -> SignUpLink:
    """Return the content of a sign-up's link, expired or not, or raise BadLink."""
    day, subscriber_id, rest = unsign("sign-up", text, keys)
    if not re.fullmatch(r"[0-9a-f]{32}", rest):
        raise BadLink
    return SignUpLink(day, subscriber_id, UUID(rest))


def write_signed_in(signed_in: SignedIn, keys: Sequence[str]) -> str:
    """Return the signed text of a signed-in link, without the path in front."""
    return _write_until("signed-in", signed_in, keys)


def read_signed_in(text: str, keys: Sequence[str]) -> SignedIn:
    """Return the content of a signed-in link, expired or not, or raise BadLink."""
    return SignedIn(*_read_until("signed-in", text, keys))


def write_account(account: Account, keys: Sequence[str]) -> str:
    """Return the signed text of an account link, without the path in front."""
    return _write_until("account", account, keys)


def read_account(text: str, keys: Sequence[str]) -> Account:
    """Return the content of an account link, expired or not, or raise BadLink."""
    return Account(*_read_until("account", text, keys))


def _write_until(purpose: str, link: SignedIn | Account, keys: Sequence[str]) -> str:
    """Return the signed text of a link that expires at a time."""
    rest = str((link.expires_at - _EPOCH) // _SECOND)
    return sign(purpose, payload(link.day, link.subscriber_id, rest), keys)


def _read_until(purpose: str, text: str, keys: Sequence[str]) -> tuple[date, UUID, datetime]:
    day, subscriber_id, rest = unsign(purpose, text, keys)
    if not re.fullmatch(r"[1-9][0-9]{0,10}", rest):
        raise BadLink
    return day, subscriber_id, _EPOCH + int(rest) * _SECOND
