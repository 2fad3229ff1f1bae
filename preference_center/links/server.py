"""Links that only the server mints, with `SERVER_KEYS`: receipts, and confirming a topic.

What a link may do depends on who can hold it:

- `unsubscribe` and `preferences` links are minted by senders and stand in emails that are
  forwarded. They end, reduce and pause. A `preferences` link also resumes a topic that is received,
  or lifts its cap; the owner is always told by email, with undo. Neither starts a topic or lifts a
  stop, whatever the topic.
- A `confirm` link is only ever emailed to the address itself. It starts one topic, and lifts the
  stops that are older than the link. After a complaint no `preferences` link has one sent.
- A `receipt` link undoes what one form changed, exactly, for 30 days.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from preference_center.links.minter import SLUG
from preference_center.links.signing import BadLink, sign, unsign

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Links to somebody's preferences that we mint ourselves bear these names, and are no mailing's.
OWN_CAMPAIGNS = frozenset({"receipt", "confirm", "change_notice", "link"})


@dataclass(frozen=True)
class Receipt:
    """What a `receipt` link says: one person's ledger rows `first` to `last`."""

    day: date
    subscriber_id: UUID
    first: int
    last: int


@dataclass(frozen=True)
class Confirm:
    """What a `confirm` link says: who reads this address's email may start `topic`.

    `day` is when the link was written, which its life counts from. `asked_at` is when it was asked
    for: it lifts no stop that is newer.
    """

    day: date
    subscriber_id: UUID
    topic: str
    asked_at: datetime


def write_receipt(receipt: Receipt, keys: Sequence[str]) -> str:
    """Return the signed text of `receipt`, without the path before it."""
    rows = f"{receipt.first}.{receipt.last}"
    return sign("receipt", receipt.day, receipt.subscriber_id, rows, keys)


def read_receipt(text: str, keys: Sequence[str]) -> Receipt:
    """Return what a signed receipt link says, or raise BadLink."""
    day, subscriber_id, rest = unsign("receipt", text, keys)
    rows = re.fullmatch(r"([1-9][0-9]{0,8})\.([1-9][0-9]{0,8})", rest)
    if rows is None:
        raise BadLink
    return Receipt(day, subscriber_id, int(rows[1]), int(rows[2]))


def write_confirm(confirm: Confirm, keys: Sequence[str]) -> str:
    """Return the signed text of `confirm`, without the path before it."""
    rest = f"{confirm.topic}.{(confirm.asked_at - _EPOCH) // _MICROSECOND}"
    return sign("confirm", confirm.day, confirm.subscriber_id, rest, keys)


def read_confirm(text: str, keys: Sequence[str]) -> Confirm:
    """Return what a signed confirm link says, or raise BadLink."""
    day, subscriber_id, rest = unsign("confirm", text, keys)
    topic, _, asked = rest.partition(".")
    if not (SLUG.fullmatch(topic) and re.fullmatch(r"[1-9][0-9]{0,16}", asked)):
        raise BadLink
    return Confirm(day, subscriber_id, topic, _EPOCH + int(asked) * _MICROSECOND)
