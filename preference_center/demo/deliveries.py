"""What the database has about the program that receives webhooks in the demo."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from preference_center.core import feed, subscribers, topics
from preference_center.core.feed import FeedEvent
from preference_center.core.preferences import receives
from preference_center.core.webhooks import IS_OPEN, TEST_SEQ
from preference_center.demo import receiver
from preference_center.demo.company import people
from preference_center.demo.receiver import TOPIC, Program
from preference_center.links.minter import Minter
from preference_center.store.tables import WebhookDelivery, WebhookRow

PATH = "/demo/webhook/events"
_MAX_SHOWN = 8


@dataclass(frozen=True)
class Waiting:
    """An event that the program has not accepted, and that was posted `failed` times.

    It waits until `next_at`, or for the event of row `after` of the same reader. If both are None,
    it is about to be posted.
    """

    event: FeedEvent
    failed: int
    next_at: datetime | None
    after: int | None


@dataclass(frozen=True)
class Deliveries:
    """What waits for the program.

    `waiting` are the first of `count` events. `is_behind` says whether more will soon be made.
    `gets` says whether the program's reader gets `TOPIC`. `addresses` are those of the readers
    whom events are about, by subscriber id.
    """

    count: int
    waiting: list[Waiting]
    is_behind: bool
    gets: bool
    addresses: dict[str, str | None]

    @property
    def is_changing(self) -> bool:
        return self.is_behind or self.count > 0


def program_on_record(session: Session, folder: Path) -> Program | None:
    """Return the program, or None if it has no webhook, or one that was removed."""
    program = receiver.load(folder)
    if program is None or session.get(WebhookRow, UUID(program.webhook_id)) is None:
        return None
    return program


def follow(session: Session, folder: Path, public_url: str) -> None:
    """Make the webhook post to this demo, which may have had another port before."""
    if (program := receiver.load(folder)) is not None:
        moved = update(WebhookRow).where(WebhookRow.id == UUID(program.webhook_id))
        session.execute(moved.values(url=f"{public_url}{PATH}"))


def another_reader(session: Session, minter: Minter) -> tuple[UUID, str]:
    """Return the id and the address of a reader other than Ada who gets `TOPIC`."""
    topic = topics.get(session, TOPIC)
    known = ((minter.subscriber_id(email), email) for email in people()[1:])
    return next(each for each in known if receives(subscribers.find(session, each[0]), topic))


def load(session: Session, program: Program, now: datetime) -> Deliveries:
    """Return what waits for the program."""
    webhook = session.get_one(WebhookRow, UUID(program.webhook_id))
    waits = (WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.seq != TEST_SEQ)
    query = select(WebhookDelivery).where(*waits, IS_OPEN).order_by(WebhookDelivery.position)
    rows = session.scalars(query).all()
    waiting = list(_waiting(session, rows[:_MAX_SHOWN], webhook.held_until, now))
    ids = {each.event.subscriber_id for each in waiting}
    ids |= {each.subscriber_id for each in program.posted if each.subscriber_id is not None}
    unnumbered = feed.oldest_unnumbered(session) is not None
    return Deliveries(
        count=len(rows),
        waiting=waiting,
        is_behind=unnumbered or webhook.position < feed.last_position(session),
        gets=receives(
            subscribers.find(session, UUID(program.reader_id)), topics.get(session, TOPIC)
        ),
        addresses={str(each): email for each, email in subscribers.emails(session, ids).items()},
    )


def _waiting(
    session: Session, rows: Sequence[WebhookDelivery], held_until: datetime | None, now: datetime
) -> Iterator[Waiting]:
    earlier: dict[UUID, int] = {}
    for row in rows:
        after, is_leased = earlier.get(row.about), row.lease is not None
        earlier[row.about] = row.seq
        next_at = max(row.due_at, held_until or row.due_at)
        waits = after is None and not is_leased and next_at > now
        if (event := feed.find(session, row.about, row.seq)) is not None:
            yield Waiting(event, row.attempts - is_leased, next_at if waits else None, after)
