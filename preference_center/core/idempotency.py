"""Writes with an `Idempotency-Key`: the same request is made once, and gets the same answer.

After draft-ietf-httpapi-idempotency-key-header. A request first takes a lease in a transaction of
its own. Its change and its answer are committed together. Only successful answers are kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, CursorResult, Delete, delete, select, update
from sqlalchemy.orm import Session

from preference_center.core.errors import KeyInUseError, KeyReusedError
from preference_center.store import queries
from preference_center.store.tables import IdempotentRequest

LEASE = timedelta(seconds=60)
KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class KeyedRequest:
    """A request with an `Idempotency-Key`; `digest` is the SHA-256 of what it asks for."""

    api_key: UUID
    route: str
    key: str
    digest: bytes


@dataclass(frozen=True)
class StoredAnswer:
    """The answer to an earlier request with the same key, and its header `ETag`."""

    status: int
    body: str
    etag: str | None = None


@dataclass(frozen=True)
class Lease:
    """The right to make a keyed request, until another request takes it over."""

    request: KeyedRequest
    token: UUID


def begin(session: Session, request: KeyedRequest, now: datetime) -> Lease | StoredAnswer:
    """Take the lease of a request, or return the answer that it got before.

    Raises:
        KeyReusedError: the key was sent with another request.
        KeyInUseError: the request is being made.
    """
    token = uuid4()
    values = {
        "api_key": request.api_key,
        "route": request.route,
        "key": request.key,
        "digest": request.digest,
        "created_at": now,
        "lease": token,
        "lease_until": now + LEASE,
    }
    # First the row of another day: its key is free again.
    session.execute(_of(request).where(expired(now)))
    row = _insert_or_lock(session, values)
    if row.digest != request.digest:
        raise KeyReusedError("this Idempotency-Key was sent with another request")
    if row.status is not None and row.body is not None:
        return StoredAnswer(row.status, row.body, row.etag)
    if row.lease != token and row.lease_until > now:
        raise KeyInUseError("a request with this Idempotency-Key is being made")
    row.lease, row.lease_until = token, now + LEASE
    return Lease(request, token)


def finish(session: Session, lease: Lease, answer: StoredAnswer, about: UUID | None) -> None:
    """Store the answer in the transaction of the change.

    `about` is the subscriber in the answer. Raise KeyInUseError if the lease was taken over.
    """
    stored = (
        update(IdempotentRequest)
        .where(*_is(lease.request), IdempotentRequest.lease == lease.token)
        .values(status=answer.status, body=answer.body, etag=answer.etag, about=about)
    )
    result = session.execute(stored)
    if not (isinstance(result, CursorResult) and result.rowcount):
        raise KeyInUseError("another request with this Idempotency-Key has taken over")


def abandon(session: Session, lease: Lease) -> None:
    """Give up the lease of a request that has changed nothing.

    An answer stays: it is there if a COMMIT was made whose result was not known.
    """
    unanswered = (IdempotentRequest.lease == lease.token, IdempotentRequest.status.is_(None))
    session.execute(_of(lease.request).where(*unanswered))


def forget(session: Session, subscriber_ids: Iterable[UUID]) -> None:
    """Delete the answers about some subscribers."""
    about = IdempotentRequest.about.in_(list(subscriber_ids))
    session.execute(delete(IdempotentRequest).where(about))


def expired(now: datetime) -> ColumnElement[bool]:
    """Return the condition of requests that are no longer kept."""
    return IdempotentRequest.created_at <= now - KEPT_FOR


def _insert_or_lock(session: Session, values: Mapping[str, Any]) -> IdempotentRequest:
    """Return the row of a request, locked: a new one, or the one on record.

    It is one statement, so that the row cannot be deleted before it is locked.
    """
    new = queries.insert(session, IdempotentRequest).values(values)
    key = IdempotentRequest.__table__.primary_key
    kept = new.on_conflict_do_update(index_elements=list(key), set_={"key": new.excluded.key})
    locked = select(IdempotentRequest).from_statement(kept.returning(IdempotentRequest))
    row: IdempotentRequest = session.scalars(locked).one()
    return row


def _of(request: KeyedRequest) -> Delete:
    return delete(IdempotentRequest).where(*_is(request))


def _is(request: KeyedRequest) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotentRequest.api_key == request.api_key,
        IdempotentRequest.route == request.route,
        IdempotentRequest.key == request.key,
    )
