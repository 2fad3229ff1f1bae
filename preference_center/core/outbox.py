"""Mails to be sent: written with the change they tell of, claimed by a worker, then settled."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from preference_center.core import ledger
from preference_center.core.snapshots import topic_of, visible_state
from preference_center.store import queries
from preference_center.store.tables import OutboxRow

CONFIRMATION = "confirmation"  # of what a person changed
Request = Literal["confirm", "link"]  # a mail that joins a topic, or that holds a fresh link
MAX_REQUESTS = 3  # of one kind and topic, for one person, in a day
MAX_OF_A_KIND = 20  # whatever the topic: a link's holder could ask for each of hundreds
OWN_SOURCES = ("page", "one-click", "mailto")  # the doors that a person's own choices come through
MAX_DELAY = timedelta(minutes=10)
MAX_AGE = timedelta(hours=24)
# Longer than a whole conversation with a mail server whose every answer takes 20 seconds.
LEASE_DURATION = timedelta(minutes=5)
RETRY_AFTER = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)


@dataclass(frozen=True)
class LeasedEmail:
    """A mail that one worker holds until `CLAIM_LAPSES_AFTER` has passed."""

    subscriber_id: UUID
    id: UUID
    lease: UUID
    kind: str
    topic: str
    message_id: str
    first_seq: int
    last_seq: int
    attempts: int
    created_at: datetime
    in_reply_to: str | None


def schedule(
    session: Session,
    subscriber_id: UUID,
    seq: int,
    now: datetime,
    quiet: timedelta,
    in_reply_to: str | None = None,
) -> None:
    """Let the person's one pending confirmation cover ledger row `seq` too.

    It goes out after `quiet` without a further change, and `MAX_WAIT` after the first one.
    Where a mail made the change, it answers that one (RFC 3834 §3.1.5).
    """
    row = _new(subscriber_id, CONFIRMATION, "", seq, now)
    row |= {"due_at": now + quiet, "latest_at": now + max(MAX_DELAY, quiet)}
    row["in_reply_to"] = in_reply_to
    queries.add_to_pending(session, row)


def notify_at_once(
    session: Session, subscriber_id: UUID, first: int, last: int, now: datetime
) -> None:
    """Let ledger rows `first` to `last` have an email of their own, due at once.

    It covers no other change, and no later one is added to it: what is undone from it is exactly
    these rows.
    """
    row = _new(subscriber_id, CONFIRMATION, "", first, now)
    session.add(OutboxRow(**row | {"last_seq": last, "state": "started"}))


def request(
    session: Session, subscriber_id: UUID, kind: Request, now: datetime, topic: str = ""
) -> None:
    """Let a mail that was asked for be sent at once, if that is not asked too often in a day.

    It takes the same statements whether the person is known or not: the time that an answer
    takes must not tell (P8). The worker drops what is for nobody.
    """
    asked = select(func.count(), func.count().filter(OutboxRow.topic == topic)).where(
        OutboxRow.subscriber_id == subscriber_id,
        OutboxRow.kind == kind,
        OutboxRow.created_at > now - timedelta(days=1),
    )
    of_kind, of_topic = session.execute(asked).one()
    if of_kind < MAX_OF_A_KIND and of_topic < MAX_REQUESTS:
        queries.add_to_pending(session, _new(subscriber_id, kind, topic, 0, now))


def _new(subscriber_id: UUID, kind: str, topic: str, seq: int, now: datetime) -> dict[str, Any]:
    return {
        "subscriber_id": subscriber_id,
        "id": uuid4(),
        "kind": kind,
        "topic": topic,
        "state": "pending",
        "first_seq": seq,
        "last_seq": seq,
        "message_id": uuid4().hex,
        "created_at": now,
        "latest_at": now,
        "due_at": now,
        "attempts": 0,
    }


def has_pending(session: Session, subscriber_id: UUID, seq: int) -> bool:
    """Tell whether a mail about ledger row `seq` is still to be sent."""
    statement = select(OutboxRow.id).where(
        OutboxRow.subscriber_id == subscriber_id,
        OutboxRow.state.in_(("pending", "started")),
        OutboxRow.first_seq <= seq,
        OutboxRow.last_seq >= seq,
    )
    return session.scalars(statement).first() is not None


def lease(session: Session, now: datetime) -> LeasedEmail | None:
    """Take the mail that has been due longest, or None. What is a day old is dropped unsent."""
    while (row := queries.take_due_mail(session, now)) is not None:
        if now - row.created_at > MAX_AGE:
            row.state, row.settled_at, row.lease = "dropped", now, None
            session.flush()
            continue
        token = uuid4()
        row.state, row.lease, row.due_at = "started", token, now + LEASE_DURATION
        row.attempts += 1
        return LeasedEmail(
            row.subscriber_id,
            row.id,
            token,
            row.kind,
            row.topic,
            row.message_id,
            row.first_seq,
            row.last_seq,
            row.attempts,
            row.created_at,
            row.in_reply_to,
        )
    return None


def settle(session: Session, mail: LeasedEmail, now: datetime, state: str, why: str = "") -> None:
    """End a claimed mail as `sent`, `failed` or `dropped`, unless another worker holds it now."""
    values = {"state": state, "settled_at": now, "failure": why or None, "lease": None}
    _settle(session, mail, values)


def retry(session: Session, mail: LeasedEmail, now: datetime, why: str) -> None:
    """Give a mail back to be tried again later, or end it as `failed` after the last try."""
    if mail.attempts > len(RETRY_AFTER):
        settle(session, mail, now, "failed", why)
        return
    due = now + RETRY_AFTER[mail.attempts - 1]
    _settle(session, mail, {"due_at": due, "lease": None, "failure": why})


def _settle(session: Session, mail: LeasedEmail, values: dict[str, Any]) -> None:
    session.execute(
        update(OutboxRow)
        .where(
            OutboxRow.subscriber_id == mail.subscriber_id,
            OutboxRow.id == mail.id,
            OutboxRow.lease == mail.lease,
        )
        .values(**values)
    )


@dataclass(frozen=True)
class NetChange:
    """What a run of changes amounts to for one thing: `topic:SLUG`, `all` or `address`."""

    key: str
    before: Any
    after: Any
    event: str
    occurred_at: datetime


def net_changes(session: Session, subscriber_id: UUID, first: int, last: int) -> list[NetChange]:
    """Return what the person's own rows of `first` to `last` amount to, less what cancels out."""
    net: dict[str, NetChange] = {}
    for change in ledger.changes(session, subscriber_id, first):
        if change.row.seq > last or change.row.source not in OWN_SOURCES:
            continue
        if change.before is None or change.after is None:
            continue
        for key, after in change.after.items():
            new = NetChange(
                key, change.before[key], after, change.row.event, change.row.occurred_at
            )
            known = net.get(key)
            net[key] = replace(new, before=known.before) if known is not None else new
    return [change for change in net.values() if _is_noticed(change, net.values())]


def _is_noticed(change: NetChange, net: Iterable[NetChange]) -> bool:
    """Tell whether a person would notice; so they would a topic that a stop of all lay upon."""
    if change.event == "stayed_off" and change.before is None:
        return False  # they had never chosen it
    of_all = (each for each in net if topic_of(each.key) is None)
    lifted = any(each.before is not None and each.after is None for each in of_all)
    joined = change.event in ("subscribed", "resubscribed")
    return (lifted and joined) or visible_state(change.before) != visible_state(change.after)
