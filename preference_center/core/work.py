"""Load many subscribers with one statement per table, and write what has changed in the same way.

PostgreSQL locks subscribers in the order of their ids, so that two batches cannot deadlock, and
reads their preferences in later statements, which see what other transactions have committed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, delete, tuple_, update
from sqlalchemy.orm import Session

from preference_center.core import domain_hold, idempotency, ledger, linked, outbox, rollups
from preference_center.core.draft import Draft
from preference_center.core.outbox import Email
from preference_center.core.state import Loaded, Subscriber
from preference_center.core.vocab import KeyKind, OutboxKind
from preference_center.store import citus, queries, set_sql, sets, tables
from preference_center.store.pipelines import pipeline
from preference_center.store.tables import Base, Topic

_Key = TypeVar("_Key", bound=str)
_Values = tuple[Any, ...]
_LOADED = (tables.SubscriberRow, tables.SubscriptionRow, tables.SuppressionRow)
_DELETED_BY_ERASURE = (
    tables.OutboxRow,
    tables.Claim,
    tables.Reason,
    tables.FailedMailing,
    tables.SignUpRow,
)


def on_record(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return which of these subscribers are on record. Subscribers are never deleted."""
    return sets.existing(session, tables.SubscriberRow, ids)


def new_drafts(
    session: Session, ids: Collection[UUID], topics: Mapping[str, Topic], now: datetime
) -> dict[UUID, Draft]:
    """Return a draft of each subscriber who is not on record, in the order of ids.

    It is written only if a change adds something.
    """
    key = _sealing_key(session)
    return {each: Draft(Subscriber.new(each, now), topics, key, Loaded()) for each in sorted(ids)}


def load(session: Session, ids: Collection[UUID], topics: Mapping[str, Topic]) -> dict[UUID, Draft]:
    """Lock subscribers, who must be on record, until the transaction ends; return their drafts."""
    key = _sealing_key(session)
    if distributed := citus.is_distributed(session):
        queries.lock_ids(session, ids)
    found = _read(session, ids, lock=not distributed)
    return {each: Draft(own.subscriber(), topics, key, own) for each, own in found.items()}


def look(session: Session, ids: Collection[UUID]) -> list[Subscriber]:
    """Return those subscribers who are on record, unlocked, in the order of their ids."""
    found = _read(session, ids, lock=False)
    return [found[each].subscriber() for each in sorted(found)]


def write(session: Session, drafts: Iterable[Draft], now: datetime) -> set[UUID]:
    """Write what has changed in drafts, a table at a time.

    Return the ids of new subscribers whom another transaction has recorded since: nothing of
    their drafts is written.
    """
    drafts = [each for each in drafts if each.is_on_record or each.needs_subscriber]
    new = [each.subscriber for each in drafts if not each.is_on_record]
    recorded = sets.insert_new(session, tables.SubscriberRow, [each.values() for each in new])
    lost = {each.subscriber_id for each in new} - recorded
    kept = [each for each in drafts if each.subscriber.subscriber_id not in lost]
    ledger.record_wordings(session, {text for each in kept for text in each.wordings})
    rows = [row for each in kept for row in each.rows]
    rollups.count(session, rows, now)
    with pipeline(session.connection()):
        _write_state(session, kept, now)
        sets.insert(session, tables.LedgerRow, rows)
        sets.insert(session, tables.LedgerDetail, [row for each in kept for row in each.details])
        sets.insert(session, tables.EventRow, [row for each in kept for row in each.events])
        _write_notices(session, kept)
    requests = [
        (each.subscriber.subscriber_id, kind, topic)
        for each in kept
        for kind, topic in each.requests
    ]
    languages = {each.subscriber.subscriber_id: each.language for each in kept}
    outbox.request(session, requests, now, languages)
    return lost


def delete_erased(session: Session, drafts: Iterable[Draft]) -> None:
    """Delete the data of erased subscribers. Their ids, suppressions and sealed ledger rows stay.

    Call it last, since it also deletes what earlier changes of the same transaction have written.
    What later changes of the same transaction have written to the ledger stays.
    """
    drafts = list(drafts)
    erased = {each.subscriber.subscriber_id: each.erased_email for each in drafts}
    domains = {
        key: domain_hold.domain_of(email) for key, email in erased.items() if email is not None
    }
    if not domains:
        return
    for table in _DELETED_BY_ERASURE:
        session.execute(delete(table).where(table.subscriber_id.in_(domains)))
    linked.forget(session, domains)
    complaints = update(tables.DataComplaint).where(tables.DataComplaint.subscriber_id.in_(domains))
    session.execute(complaints.values(text="", outcome=None))
    idempotency.forget(session, domains)
    later = [row[:2] for each in drafts for row in each.rows_after_erasure]
    rows, details = tables.LedgerRow, tables.LedgerDetail
    texts: dict[str, Any] = dict.fromkeys(("topic", "campaign", "wording"))
    session.execute(update(rows).where(*_until_erasure(rows, domains, later)).values(texts))
    session.execute(delete(details).where(*_until_erasure(details, domains, later)))
    domain_hold.forget_rare(session, domains.values())


def _until_erasure(
    table: type[tables.LedgerRow | tables.LedgerDetail],
    ids: Iterable[UUID],
    later: Collection[tuple[Any, ...]],
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of the ledger's rows about erased subscribers, without `later` ones."""
    yield table.subscriber_id.in_(ids)
    if later:
        yield tuple_(table.subscriber_id, table.seq).not_in(later)


def _read(session: Session, ids: Collection[UUID], *, lock: bool) -> dict[UUID, Loaded]:
    own, *others = sets.select_each(session, _LOADED, ids, lock_first=lock)
    subscriptions, suppressions = map(_by_subscriber, others)
    return {
        values[0]: Loaded(
            values,
            {each[0]: each for each in subscriptions.get(values[0], ())},
            {each[0]: each for each in suppressions.get(values[0], ())},
        )
        for values in own
    }


def _by_subscriber(rows: Iterable[_Values]) -> Mapping[UUID, list[_Values]]:
    """Return the rows of each subscriber, without the id."""
    found: dict[UUID, list[_Values]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row[1:])
    return found


def _write_state(session: Session, drafts: Sequence[Draft], at: datetime) -> None:
    """Write the rows that differ from those that were loaded, and delete those that are gone."""
    known = [(each.loaded, Loaded.of(each.subscriber)) for each in drafts]
    received = ((loaded.received, now.received) for loaded, now in known)
    rollups.count_subscribers(session, received, at)
    own = [now.own for loaded, now in known if now.own and loaded.own not in (None, now.own)]
    sets.update(session, tables.SubscriberRow, own)
    ids = [each.subscriber.subscriber_id for each in drafts]
    subscriptions = [(loaded.subscriptions, now.subscriptions) for loaded, now in known]
    _write_rows(session, tables.SubscriptionRow, ids, subscriptions)
    suppressions = [(loaded.suppressions, now.suppressions) for loaded, now in known]
    _write_rows(session, tables.SuppressionRow, ids, suppressions)


def _write_rows(
    session: Session,
    table: type[Base],
    ids: Sequence[UUID],
    changes: Sequence[tuple[Mapping[_Key, _Values], Mapping[_Key, _Values]]],
) -> None:
    """Write what has changed in one table, whose key is the subscriber and a name."""
    new, changed, gone = list[_Values](), list[_Values](), list[_Values]()
    for subscriber_id, (before, after) in zip(ids, changes, strict=True):
        for name, values in after.items():
            if values != before.get(name):
                (changed if name in before else new).append((subscriber_id, *values))
        gone += [(subscriber_id, name) for name in before if name not in after]
    sets.delete(session, table, set_sql.columns_of(table)[:2], gone)
    sets.insert(session, table, new)  # Faster than `upsert` on Citus.
    sets.upsert(session, table, changed)


def _write_notices(session: Session, drafts: Sequence[Draft]) -> None:
    pending, announced = list[Email](), list[Email]()
    for draft in drafts:
        subscriber_id, kind = draft.subscriber.subscriber_id, OutboxKind.CHANGE_NOTICE
        if draft.notice is not None:
            pending.append(Email(subscriber_id, kind, "", draft.notice, draft.language))
        announced += [
            Email(subscriber_id, kind, "", each, draft.language) for each in draft.announcements
        ]
    outbox.add_to_pending(session, pending)
    outbox.announce(session, announced)


def _sealing_key(session: Session) -> bytes:
    key: str = session.info["keys"][KeyKind.SERVER][-1]
    return key.encode()
