"""Outgoing webhooks: who receives which events, and from which position in the feed."""

import json
import secrets
from base64 import b64encode
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from preference_center.core import feed
from preference_center.core.api_vocab import EventName, WebhookState
from preference_center.core.errors import UnknownWebhookError, WebhookRefusal
from preference_center.store import encryption
from preference_center.store.encryption import UndecipherableError
from preference_center.store.tables import WebhookDelivery, WebhookRow

MAX_WEBHOOKS = 20  # The worker has threads for each.
OLD_SECRET_SIGNS_FOR = timedelta(hours=24)
MAX_SECRETS = 5
TEST_SEQ = 0  # The ledger's begin with 1.
_SECRET_BYTES = 32
IS_OPEN = WebhookDelivery.failed_at.is_(None)
_Secret = tuple[str, datetime | None]  # and until when it signs


@dataclass(frozen=True)
class Webhook:
    """A webhook on record, without its secrets.

    `waiting` is how many deliveries are open, of which the first is due at `next_attempt_at`, and
    `failed` how many have failed for good. `last_attempt_at` is exact to a minute. Every
    event up to `acknowledged` in the feed was accepted, or has failed for good.
    """

    id: UUID
    url: str
    event_names: tuple[EventName, ...]  # () has all
    created_at: datetime
    state: WebhookState
    failing_since: datetime | None
    last_attempt_at: datetime | None
    last_result: str | None
    waiting: int
    next_attempt_at: datetime | None
    failed: int
    acknowledged: int


def add(
    session: Session,
    url: str,
    event_names: Collection[EventName],
    now: datetime,
    secret: bytes | None = None,
) -> tuple[Webhook, str]:
    """Record a webhook for the events from now on, and return it with its secret.

    That is one of `new_secret`.

    Raises:
        WebhookRefusal: there is one with this URL, or there are too many.
    """
    urls = session.scalars(select(WebhookRow.url)).all()
    if url in urls:
        raise WebhookRefusal("there is a webhook with this URL", "url")
    if len(urls) >= MAX_WEBHOOKS:
        raise WebhookRefusal(f"there are {MAX_WEBHOOKS} webhooks, which is the limit")
    row = WebhookRow(
        id=uuid4(),
        url=url,
        event_names=" ".join(sorted(set(event_names))),
        created_at=now,
        state=WebhookState.ACTIVE,
        position=feed.last_position(session),
    )
    text = new_secret(secret)
    _store(session, row, [(text, None)])
    session.add(row)
    session.flush()
    return _webhook(row, 0, None, 0, None), text


def new_secret(secret: bytes | None = None) -> str:
    """Return 32 secret bytes, by default random ones, in the format of Standard Webhooks."""
    return f"whsec_{b64encode(secret or secrets.token_bytes(_SECRET_BYTES)).decode()}"


def list_all(session: Session) -> list[Webhook]:
    """Return all webhooks, the oldest first."""
    statement = (
        select(
            WebhookRow,
            func.count(WebhookDelivery.seq).filter(IS_OPEN),
            func.min(WebhookDelivery.due_at).filter(IS_OPEN),
            func.count(WebhookDelivery.failed_at),
            func.min(WebhookDelivery.position).filter(IS_OPEN, WebhookDelivery.seq != TEST_SEQ),
        )
        .outerjoin(WebhookDelivery, WebhookDelivery.webhook_id == WebhookRow.id)
        .group_by(WebhookRow.id)
        .order_by(WebhookRow.created_at, WebhookRow.id)
    )
    return [_webhook(*row) for row in session.execute(statement)]


def receivers(session: Session, event: EventName) -> list[tuple[str, UUID, int]]:
    """Return the name, the id and the position of each webhook that gets an event."""
    rows = session.scalars(select(WebhookRow).order_by(WebhookRow.created_at, WebhookRow.id))
    return [
        (f"webhook {row.id} ({urlsplit(row.url).hostname})", row.id, row.position)
        for row in rows
        if not row.event_names or event in row.event_names.split()
    ]


def get(session: Session, webhook_id: UUID) -> Webhook:
    """Return a webhook, or raise UnknownWebhookError."""
    found = [each for each in list_all(session) if each.id == webhook_id]
    if not found:
        raise UnknownWebhookError("there is no such webhook")
    return found[0]


def remove(session: Session, webhook_id: UUID) -> None:
    """Delete a webhook with its deliveries, or raise UnknownWebhookError."""
    row = lock(session, webhook_id)
    session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id))
    session.delete(row)
    session.flush()


def rotate_secret(
    session: Session, webhook_id: UUID, now: datetime, secret: bytes | None = None
) -> str:
    """Give a webhook a secret of `new_secret`, and return it. Those before sign for a day longer.

    Raises:
        UnknownWebhookError: there is no such webhook.
    """
    row, text = lock(session, webhook_id), new_secret(secret)
    ends = now + OLD_SECRET_SIGNS_FOR
    old: list[_Secret] = []
    with suppress(UndecipherableError):
        old = [(each, until or ends) for each, until in _secrets(session, row)]
    _store(session, row, [(text, None), *old][:MAX_SECRETS])
    return text


def secrets_of(session: Session, row: WebhookRow, now: datetime) -> list[str]:
    """Return the secrets that sign now, or raise UndecipherableError."""
    found = _secrets(session, row)
    return [each for each, until in found if until is None or now < until]


def encrypt_again(session: Session) -> None:
    """Encrypt all secrets with the newest key. Those that no key decrypts are left as they are."""
    for row in session.scalars(select(WebhookRow).order_by(WebhookRow.id).with_for_update()):
        with suppress(UndecipherableError):
            _store(session, row, _secrets(session, row))


def _secrets(session: Session, row: WebhookRow) -> list[_Secret]:
    """Return the secrets of a webhook, the newest first."""
    stored = json.loads(encryption.decrypt(session, row.secrets))
    return [(each, until and datetime.fromisoformat(until)) for each, until in stored]


def _store(session: Session, row: WebhookRow, found: Sequence[_Secret]) -> None:
    stored = [(each, until and until.isoformat()) for each, until in found]
    row.secrets = encryption.encrypt(session, json.dumps(stored))


def send_test(session: Session, webhook_id: UUID, now: datetime) -> None:
    """Queue a test event, which is tried once.

    Raises:
        UnknownWebhookError: there is no such webhook.
        WebhookRefusal: nothing is delivered to it.
    """
    row = lock(session, webhook_id)
    if row.state is not WebhookState.ACTIVE:
        raise WebhookRefusal("the webhook is not active; a replay activates it")
    session.add(
        WebhookDelivery(
            webhook_id=row.id, about=uuid4(), seq=TEST_SEQ, position=0, due_at=now, attempts=0
        )
    )


def replay(
    session: Session,
    webhook_id: UUID,
    now: datetime,
    *,
    after: int | None = None,
    since: datetime | None = None,
) -> None:
    """Deliver again the events after a position or since a time, and all that was not accepted.

    This activates a webhook that was paused or disabled. With neither, it goes on where it stopped.

    Raises:
        UnknownWebhookError: there is no such webhook.
        CursorExpiredError: the events after that position are no longer kept.
    """
    row = lock(session, webhook_id)
    if since is not None:
        after = feed.position_before(session, since)
    if after is not None:
        feed.read(session, after, 1, now)
        row.position = min(row.position, after)
    row.state, row.failing_since, row.held_until = WebhookState.ACTIVE, None, None
    waiting = update(WebhookDelivery).where(
        WebhookDelivery.webhook_id == row.id, WebhookDelivery.lease.is_(None)
    )
    session.execute(waiting.values(due_at=now, attempts=0, failed_at=None))


def lock(session: Session, webhook_id: UUID) -> WebhookRow:
    """Return a webhook's row, locked, or raise UnknownWebhookError."""
    row = session.get(WebhookRow, webhook_id, with_for_update=True)
    if row is None:
        raise UnknownWebhookError("there is no such webhook")
    return row


def _webhook(
    row: WebhookRow, waiting: int, next_attempt_at: datetime | None, failed: int, first: int | None
) -> Webhook:
    return Webhook(
        id=row.id,
        url=row.url,
        event_names=tuple(map(EventName, row.event_names.split())),
        created_at=row.created_at,
        state=row.state,
        failing_since=row.failing_since,
        last_attempt_at=row.last_attempt_at,
        last_result=row.last_result,
        waiting=waiting,
        next_attempt_at=next_attempt_at,
        failed=failed,
        acknowledged=acknowledged(row.position, first),
    )


def acknowledged(position: int, first: int | None) -> int:
    """Return up to where everything was accepted. `first` is the first open delivery, or None."""
    return position if first is None else min(first - 1, position)
