"""Links that the server alone mints, with `SERVER_KEYS`: receipts, and confirming a topic.

What a sender can mint can never undo somebody's choice, or make somebody a subscriber.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from preference_center.links import SLUG
from preference_center.signed import BadLink, sign, unsign

# Links to somebody's preferences that we mint ourselves bear these names, and are no mailing's.
OWN_CAMPAIGNS = frozenset({"receipt", "confirm", "confirmation", "link"})


@dataclass(frozen=True)
class Receipt:
    """What a `receipt` link says: one person's ledger rows `first` to `last`."""

    day: date
    subscriber_id: UUID
    first: int
    last: int


@dataclass(frozen=True)
class Confirm:
    """What a `confirm` link says: whoever reads this address's mail may join `topic`."""

    day: date
    subscriber_id: UUID
    topic: str


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
    return sign("confirm", confirm.day, confirm.subscriber_id, confirm.topic, keys)


def read_confirm(text: str, keys: Sequence[str]) -> Confirm:
    """Return what a signed confirm link says, or raise BadLink."""
    day, subscriber_id, topic = unsign("confirm", text, keys)
    if not SLUG.fullmatch(topic):
        raise BadLink
    return Confirm(day, subscriber_id, topic)
