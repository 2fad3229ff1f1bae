"""Frozen lists: preview a change for a list of people, make it for exactly these, and undo it.

A list is stored when it is previewed, so what is made cannot reach more people than were shown. It
is made in steps of one transaction each, which record how far it is with what they change. So a
step that is cut short has done nothing, and any process can take the next one. A worker leases a
list before each step, so that a step that fails, or ends the worker, holds up no other list. After
MAX_ATTEMPTS the list is stopped, with its failure, until a member tries again or undoes it.
"""

import struct
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from json import dumps
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from preference_center.core import topics, work
from preference_center.core.apply import apply
from preference_center.core.change import ChangeContext
from preference_center.core.errors import ListRefusal
from preference_center.core.lists.choice import WHATS, Choice, MakeChoice
from preference_center.core.lists.people import find
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, ListState
from preference_center.core.undo import UndoRows
from preference_center.core.vocab import Source
from preference_center.store.list_queries import ListFilter
from preference_center.store.tables import FrozenListChunk, FrozenListRow
from preference_center.util.text import is_one_line

MAX_PEOPLE = 100_000
STEP = 1000  # people of a transaction
MAX_NOTE_LENGTH = 500  # characters
PREVIEW_LIFETIME = timedelta(days=1)
KEPT_FOR = timedelta(days=30)  # Undo is possible as long.
LEASE_DURATION = timedelta(seconds=60)
MAX_ATTEMPTS = 3
_ENDED = f"a step was begun {MAX_ATTEMPTS} times and never ended; the log of the worker may say why"
_WORKING = [each for each in ListState if each.is_working]
_ID_BYTES = 16
_ROWS = struct.Struct("<2i")  # the numbers of two ledger rows


def freeze(
    session: Session,
    list_id: UUID,
    wanted: ListFilter,
    choice: Choice,
    note: str,
    by: UUID,
    now: datetime,
    zone: tzinfo,
) -> None:
    """Store the people of a list with a choice for them.

    No person is changed. The first step counts whom the choice would change, as do further ones.

    Raises:
        ListRefusal: the list is empty or too long, or the note cannot be stored.
    """
    _refuse_note(note)
    ids = find(session, wanted, zone, MAX_PEOPLE + 1)
    if not ids:
        raise ListRefusal("no person is on this list; change the filters")
    if len(ids) > MAX_PEOPLE:
        raise ListRefusal(f"a change is for up to {MAX_PEOPLE:,} people; narrow the filters")
    row = FrozenListRow(
        id=list_id,
        staff_id=by,
        created_at=now,
        filters=dumps(wanted.plain()),
        what=choice.what.value,
        topic=choice.topic,
        until=choice.until,
        note=note,
        state=ListState.COUNTING,
        people=len(ids),
        attempts=0,
        **dict.fromkeys(("expected", "position", "changed", "restored", "skipped"), 0),
    )
    session.add(row)
    session.flush()
    _store(session, row, ids)
    _record(session, row, AuditAction.LIST_PREVIEWED, by, now)
    _advance(session, row, now)


def start(session: Session, list_id: UUID, by: UUID, now: datetime) -> None:
    """Begin to make the change of a previewed list, with its first step, once; or try again.

    Raises:
        ListRefusal: there is no such list, or its preview is not complete or older than a day.
    """
    row = _locked(session, list_id)
    if row.state is ListState.COUNTING:
        raise ListRefusal("the people whom this would change are still being counted")
    if row.state is ListState.RUNNING:
        _try_again(row)
    if row.state is not ListState.PREVIEWED:
        return
    if now - row.created_at > PREVIEW_LIFETIME:
        raise ListRefusal("this preview is older than a day; make a new one")
    row.state = ListState.RUNNING
    _record(session, row, AuditAction.LIST_STARTED, by, now)
    _advance(session, row, now)


def undo(session: Session, list_id: UUID, by: UUID, now: datetime) -> None:
    """Begin to undo the change of a list, with the first step, or try again.

    Steps not made yet are left out.

    Raises:
        ListRefusal: there is no such list, or it was not started.
    """
    row = _locked(session, list_id)
    if row.state in (ListState.COUNTING, ListState.PREVIEWED):
        raise ListRefusal("nothing was changed yet")
    _try_again(row)
    if row.state in (ListState.UNDOING, ListState.UNDONE):
        return
    row.state = ListState.UNDOING
    _record(session, row, AuditAction.LIST_UNDONE, by, now)
    _advance(session, row, now)


def is_due(session: Session, now: datetime) -> bool:
    """Return True if `lease` would find a list. Unlike it, this takes no lock."""
    return session.scalar(select(FrozenListRow.id).where(_due(now)).limit(1)) is not None


def lease(session: Session, now: datetime) -> UUID | None:
    """Lease the oldest list that has a further step and on which no worker works, or None."""
    oldest = select(FrozenListRow).where(_due(now)).order_by(FrozenListRow.created_at).limit(1)
    while (row := session.scalar(oldest.with_for_update(skip_locked=True))) is not None:
        if row.attempts < MAX_ATTEMPTS:
            row.attempts, row.leased_until = row.attempts + 1, now + LEASE_DURATION
            return row.id
        row.failure = _ENDED
        session.flush()
    return None


def advance(session: Session, list_id: UUID, now: datetime) -> None:
    """Make one step of a leased list, if it still has one, and end the lease."""
    row = _locked(session, list_id)
    if row.state.is_working and row.failure is None:
        _advance(session, row, now)
    row.attempts, row.leased_until = 0, None


def fail(session: Session, list_id: UUID, why: str) -> None:
    """Record that a step has failed. It is tried again after the lease, MAX_ATTEMPTS in all."""
    row = _locked(session, list_id)
    if row.attempts >= MAX_ATTEMPTS:
        row.failure = why


def is_expired(now: datetime) -> ColumnElement[bool]:
    """Return the condition of lists that are no longer kept."""
    return FrozenListRow.created_at <= now - KEPT_FOR


def ids_in(packed: bytes) -> list[UUID]:
    """Return the subscribers' ids that a column of a chunk holds."""
    starts = range(0, len(packed), _ID_BYTES)
    return [UUID(bytes=packed[start : start + _ID_BYTES]) for start in starts]


def _store(session: Session, row: FrozenListRow, ids: Sequence[UUID]) -> None:
    for number, start_at in enumerate(range(0, len(ids), STEP)):
        packed = b"".join(each.bytes for each in ids[start_at : start_at + STEP])
        session.add(FrozenListChunk(list_id=row.id, number=number, ids=packed, skipped=b""))
    session.flush()


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(
        FrozenListRow.state.in_(_WORKING),
        FrozenListRow.failure.is_(None),
        or_(FrozenListRow.leased_until.is_(None), FrozenListRow.leased_until <= now),
    )


def _try_again(row: FrozenListRow) -> None:
    row.attempts, row.leased_until, row.failure = 0, None, None


def _advance(session: Session, row: FrozenListRow, now: datetime) -> None:
    """Count, change or restore the people of one chunk."""
    context = ChangeContext(
        Source.CONSOLE, now, now, stated_source=f"channel: sender; grounds: {row.note}"
    )
    if row.state is ListState.UNDOING:
        row.position -= 1
        _restore(session, row, _chunk(session, row), context)
        row.state = ListState.UNDOING if row.position else ListState.UNDONE
        return
    chunk = _chunk(session, row)
    row.position += 1
    is_last = row.position * STEP >= row.people
    if row.state is ListState.COUNTING:
        _count(session, row, chunk)
        if is_last:
            row.state, row.position = ListState.PREVIEWED, 0
    else:
        _make(session, row, chunk, context)
        if is_last:
            row.state = ListState.DONE


def _count(session: Session, row: FrozenListRow, chunk: FrozenListChunk) -> None:
    choice = _choice(row)
    known = {each.slug: each for each in topics.list_topics(session)}
    found = work.look(session, ids_in(chunk.ids))
    row.expected += sum(choice.would_change(each, known) for each in found)


def _make(
    session: Session, row: FrozenListRow, chunk: FrozenListChunk, context: ChangeContext
) -> None:
    choice = _choice(row)
    changes = [MakeChoice(each, choice, context) for each in ids_in(chunk.ids)]
    rows = apply(session, changes, context.recorded_at)
    chunk.rows = b"".join(_ROWS.pack(*each) for each in rows)
    row.changed += sum(first > 0 for first, _ in rows)


def _restore(
    session: Session, row: FrozenListRow, chunk: FrozenListChunk, context: ChangeContext
) -> None:
    ids = ids_in(chunk.ids)
    rows = zip(ids, _ROWS.iter_unpack(chunk.rows or b""), strict=True)
    changes = [UndoRows(each, first, last, context) for each, (first, last) in rows if first]
    restored = apply(session, changes, context.recorded_at)
    left = [each for each, done in zip(changes, restored, strict=True) if not done]
    chunk.skipped = b"".join(each.subscriber_id.bytes for each in left)
    row.skipped += len(left)
    row.restored += len(changes) - len(left)


def _refuse_note(note: str) -> None:
    if not (note and is_one_line(note) and len(note) <= MAX_NOTE_LENGTH):
        raise ListRefusal(f"say why, in one line of up to {MAX_NOTE_LENGTH} characters", "note")
    if "@" in note:
        raise ListRefusal("the audit trail holds no address; say why without one", "note")


def _choice(row: FrozenListRow) -> Choice:
    return Choice(WHATS[row.what], row.topic, row.until)


def _chunk(session: Session, row: FrozenListRow) -> FrozenListChunk:
    """Return the chunk at the position of a list."""
    return session.get_one(FrozenListChunk, (row.id, row.position))


def _locked(session: Session, list_id: UUID) -> FrozenListRow:
    """Return a list, which no other process changes until the transaction ends."""
    wanted = select(FrozenListRow).where(FrozenListRow.id == list_id).with_for_update()
    row = session.scalar(wanted.execution_options(populate_existing=True))
    if row is None:
        raise ListRefusal("there is no such list; it may have been deleted after 30 days")
    return row


def _record(
    session: Session, row: FrozenListRow, action: AuditAction, by: UUID, now: datetime
) -> None:
    details = {"list": str(row.id), "what": row.what, "topic": row.topic, "people": row.people}
    audit.record(session, by, action, now, details={**details, "note": row.note})
