"""Erasures that consumers, which are webhooks and readers of the feed, have not acknowledged yet.

An event contains no address. A consumer that knows subscribers by their addresses only has to ask
for the address. So the address is held, encrypted, until every consumer has acknowledged the event
`subscriber.erasing`, for HELD_FOR at most. A webhook acknowledges it by accepting it, a reader of
the feed by asking for the events after it. A delivery that has failed for good is no
acknowledgement, unless it is made again.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select, true
from sqlalchemy.orm import Session

from preference_center.core import consumers, webhooks
from preference_center.core.api_vocab import EventName
from preference_center.core.draft import Draft
from preference_center.store import encryption, queries, sets
from preference_center.store.encryption import UndecipherableError
from preference_center.store.tables import EventRow, UnacknowledgedErasure, WebhookDelivery

HELD_FOR = timedelta(days=7)
BATCH_SIZE = 1000  # erasures
IS_WAITING = UnacknowledgedErasure.missed_at.is_(None)
Key = tuple[UUID, int]  # A subscriber, and the number of the ledger row.
_KEY = (UnacknowledgedErasure.subscriber_id, UnacknowledgedErasure.seq)


@dataclass(frozen=True)
class Held:
    """What is held about a subscriber who is being erased, until `until` at most.

    `email` is None if the address was not known, or if no key of the settings decrypts it.
    """

    email: str | None
    until: datetime


@dataclass(frozen=True)
class Unacknowledged:
    """An erasure, and the names of the consumers that have not acknowledged it."""

    key: Key
    erased_at: datetime
    by: tuple[str, ...]

    def is_over(self, now: datetime) -> bool:
        """Return True if there is nothing to wait for any longer."""
        return not self.by or self.erased_at <= now - HELD_FOR


def add(session: Session, drafts: Iterable[Draft], now: datetime) -> None:
    """Record erasures that wait for consumers, with the addresses; none without a consumer."""
    erased = {
        (each.subscriber.subscriber_id, each.announced_erasure): each.erased_email
        for each in drafts
        if each.announced_erasure is not None
    }
    if not erased or not _Consumers(session, now):
        return
    rows = []
    for key, email in sorted(erased.items()):
        held = encryption.encrypt(session, email) if email else None
        rows.append((*key, now, held, None, None, None))
    sets.insert(session, UnacknowledgedErasure, rows)


def find(session: Session, subscriber_id: UUID, now: datetime) -> Held | None:
    """Return what is held about a subscriber, or None."""
    statement = select(UnacknowledgedErasure.email, UnacknowledgedErasure.erased_at).where(
        UnacknowledgedErasure.subscriber_id == subscriber_id, IS_WAITING, ~is_overdue(now)
    )
    row = session.execute(statement.order_by(UnacknowledgedErasure.seq.desc())).first()
    if row is None:
        return None
    email = None
    if row.email is not None:
        with suppress(UndecipherableError):
            email = encryption.decrypt(session, row.email)
    return Held(email, row.erased_at + HELD_FOR)


def is_overdue(now: datetime) -> ColumnElement[bool]:
    """Return the condition of erasures that wait for no acknowledgement any longer."""
    return UnacknowledgedErasure.erased_at <= now - HELD_FOR


def waiting(
    session: Session, now: datetime, *conditions: ColumnElement[bool], after: Key | None = None
) -> list[Unacknowledged]:
    """Return the next erasures that wait, by subscriber, at most BATCH_SIZE of them."""
    statement = (
        select(*_KEY, UnacknowledgedErasure.erased_at, EventRow.position)
        .outerjoin(
            EventRow,
            and_(
                EventRow.subscriber_id == UnacknowledgedErasure.subscriber_id,
                EventRow.seq == UnacknowledgedErasure.seq,
            ),
        )
        .where(IS_WAITING, *conditions, follows(after))
    )
    rows = session.execute(_in_order(statement)).all()
    if not rows:
        return []
    keys = [(row.subscriber_id, row.seq) for row in rows]
    told = _Consumers(session, now)
    not_accepted = told.not_accepted([subscriber_id for subscriber_id, _ in keys])
    return [
        Unacknowledged(key, row.erased_at, told.missing(row.position, not_accepted.get(key, ())))
        for key, row in zip(keys, rows, strict=True)
    ]


def follows(key: Key | None) -> ColumnElement[bool]:
    """Return the condition of erasures that come after one in the order of subscribers."""
    if key is None:
        return true()
    (subscriber_id, seq), table = key, UnacknowledgedErasure
    is_later = and_(table.subscriber_id == subscriber_id, table.seq > seq)
    return or_(table.subscriber_id > subscriber_id, is_later)


def settle(session: Session, over: Iterable[Unacknowledged], now: datetime) -> list[Unacknowledged]:
    """Delete erasures that every consumer has acknowledged, and the addresses of missed ones.

    Return those of `over` that this transaction has settled. Another transaction settles the rest.
    """
    known = {each.key: each for each in over}
    mine = queries.lock_available(session, {subscriber_id for subscriber_id, _ in known})
    settled, missed = list[Unacknowledged](), list[tuple[Any, ...]]()
    for subscriber_id, seq, erased_at, _, _, missed_at, warned_at in _rows(session, mine):
        each = known.get((subscriber_id, seq))
        if each is None or missed_at is not None:
            continue
        settled.append(each)
        if each.by:
            missed.append((*each.key, erased_at, None, json.dumps(each.by), now, warned_at))
    done = [each.key for each in settled if not each.by]
    sets.delete(session, UnacknowledgedErasure, ("subscriber_id", "seq"), done)
    sets.update(session, UnacknowledgedErasure, missed)
    return settled


def encrypt_again(session: Session, after: Key | None = None) -> Key | None:
    """Encrypt a batch of addresses with the newest key; return the last one if more may follow.

    An address that no key decrypts is left as it is.
    """
    held = select(*_KEY).where(UnacknowledgedErasure.email.is_not(None), follows(after))
    keys = [(row.subscriber_id, row.seq) for row in session.execute(_in_order(held))]
    ids = {subscriber_id for subscriber_id, _ in keys}
    queries.lock_ids(session, ids)
    rows = []
    for subscriber_id, seq, erased_at, email, *others in _rows(session, ids):
        if email is not None:
            with suppress(UndecipherableError):
                again = encryption.encrypt(session, encryption.decrypt(session, email))
                rows.append((subscriber_id, seq, erased_at, again, *others))
    sets.update(session, UnacknowledgedErasure, rows)
    return keys[-1] if len(keys) == BATCH_SIZE else None


def _rows(session: Session, ids: Collection[UUID]) -> list[tuple[Any, ...]]:
    return sets.select(session, UnacknowledgedErasure, ids) if ids else []


def _in_order(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return statement.order_by(*_KEY).limit(BATCH_SIZE)


class _Consumers:
    """The consumers that are told about erasures, and how far each has come."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._readers = consumers.acknowledged(session, now)
        self._webhooks = webhooks.receivers(session, EventName.SUBSCRIBER_ERASING)

    def __bool__(self) -> bool:
        return bool(self._readers or self._webhooks)

    def not_accepted(self, ids: Sequence[UUID]) -> Mapping[Key, set[UUID]]:
        """Return which webhooks have deliveries about some subscribers that were not accepted."""
        row, found = WebhookDelivery, defaultdict[Key, set[UUID]](set)
        statement = select(row.about, row.seq, row.webhook_id).where(
            row.webhook_id.in_([each for _, each, _ in self._webhooks]),
            queries.among(self._session, row.about, ids),
        )
        for subscriber_id, seq, webhook_id in self._session.execute(statement):
            found[subscriber_id, seq].add(webhook_id)
        return found

    def missing(self, position: int | None, not_accepted: Collection[UUID]) -> tuple[str, ...]:
        """Return the names of those that have not acknowledged an event.

        `position` is None while the event is not in the feed. `not_accepted` are the
        webhooks with a delivery of the event that was not accepted.
        """
        if position is None:
            position = sys.maxsize
        behind = [name for name, reached in self._readers if reached < position]
        behind += [
            name
            for name, webhook_id, reached in self._webhooks
            if reached < position or webhook_id in not_accepted
        ]
        return tuple(behind)
