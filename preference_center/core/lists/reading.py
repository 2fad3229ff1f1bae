"""Read lists for the console: people by filters, and the lists that were frozen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from json import loads
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from preference_center.core import preferences, topics, work
from preference_center.core.errors import ListRefusal
from preference_center.core.lists.frozen import (
    KEPT_FOR,
    PREVIEW_LIFETIME,
    STEP,
    ids_in,
)
from preference_center.core.lists.people import selection
from preference_center.core.preferences import SubscriberPreferences
from preference_center.core.staff import audit
from preference_center.core.staff_vocab import AuditAction, ListState
from preference_center.store.list_queries import ListFilter
from preference_center.store.tables import (
    FrozenListChunk,
    FrozenListRow,
    StaffRow,
    SubscriberRow,
)

PAGE = 50  # people
MAX_COUNTED = 10_000  # people; counting more takes too long for a page
_LATEST = 20  # lists


@dataclass(frozen=True)
class Person:
    """A person of a list, with their preferences."""

    id: UUID
    since: datetime
    preferences: SubscriberPreferences


@dataclass(frozen=True)
class PeoplePage:
    """A page of people. `more` is where the next one begins, or None.

    `count` is how many there are, at most `MAX_COUNTED` + 1; None if they were not counted.
    """

    people: Sequence[Person]
    more: UUID | None
    count: int | None = None


@dataclass(frozen=True)
class FrozenList:
    """A frozen list. `staff` is the address of who previewed it; the others are as stored."""

    id: UUID
    staff: str
    created_at: datetime
    filters: ListFilter
    what: str
    topic: str | None
    until: datetime | None
    note: str
    state: ListState
    people: int
    expected: int
    changed: int
    restored: int
    skipped: int
    failure: str | None  # Why it was stopped.
    done: int  # How many people's turn has come.

    @property
    def undo_until(self) -> datetime:
        """Return when the list is deleted."""
        return self.created_at + KEPT_FOR

    @property
    def is_working(self) -> bool:
        """Return True while there are further steps, and they are made."""
        return self.state.is_working and self.failure is None

    def is_stale(self, now: datetime) -> bool:
        """Return True if the preview is too old to be carried out."""
        return self.state is ListState.PREVIEWED and now - self.created_at > PREVIEW_LIFETIME


def show(
    session: Session,
    wanted: ListFilter,
    after: UUID | None,
    by: UUID,
    now: datetime,
    zone: tzinfo,
) -> PeoplePage:
    """Return a page of people from after an id. Who has seen whom is in the trail.

    The first page has the count.
    """
    statement = selection(session, wanted, zone)
    later = statement.where(SubscriberRow.subscriber_id > after) if after is not None else statement
    ids = list(session.scalars(later.limit(PAGE + 1)))
    count = None
    if after is None:
        some = statement.order_by(None).limit(MAX_COUNTED + 1).subquery()
        count = session.scalars(select(func.count()).select_from(some)).one()
    shown = ids[:PAGE]
    details = {"filters": wanted.plain(), "after": after and str(after)}
    audit.record_views(session, by, AuditAction.LIST_READ, now, shown, details)
    more = shown[-1] if len(ids) > PAGE else None
    return PeoplePage(_people(session, shown, now), more, count)


def latest(session: Session) -> list[FrozenList]:
    """Return the newest frozen lists, newest first."""
    ordered = _lists().order_by(FrozenListRow.created_at.desc()).limit(_LATEST)
    return [_frozen(row, email) for row, email in session.execute(ordered)]


def get(session: Session, list_id: UUID) -> FrozenList | None:
    """Return a frozen list, or None if there is none or it was deleted."""
    found = session.execute(_lists().where(FrozenListRow.id == list_id)).first()
    return _frozen(*found) if found is not None else None


def show_frozen(
    session: Session, list_id: UUID, start: int, by: UUID, now: datetime, *, skipped: bool
) -> PeoplePage:
    """Return people of a frozen list from a position on, or of those whom its undo has skipped.

    Who has seen them is in the trail.
    """
    column = FrozenListChunk.skipped if skipped else FrozenListChunk.ids
    chunks = select(column).where(FrozenListChunk.list_id == list_id)
    packed = session.scalars(chunks.order_by(FrozenListChunk.number))
    ids = [each for part in packed for each in ids_in(part)]
    shown = ids[start : start + PAGE]
    details = {"list": str(list_id), "from": start, "skipped": skipped}
    audit.record_views(session, by, AuditAction.LIST_READ, now, shown, details)
    more = shown[-1] if len(ids) > start + PAGE else None
    return PeoplePage(_people(session, shown, now), more, len(ids))


def ids_of(session: Session, list_id: UUID) -> Iterator[list[UUID]]:
    """Yield the ids of a frozen list's people, a chunk at a time.

    Raises:
        ListRefusal: there is no such list, or no longer.
    """
    number, chunk = 0, session.get(FrozenListChunk, (list_id, 0))
    if chunk is None:
        raise ListRefusal("this list is no longer kept")
    while chunk is not None:
        yield ids_in(chunk.ids)
        number += 1
        chunk = session.get(FrozenListChunk, (list_id, number))


def _people(session: Session, ids: Sequence[UUID], now: datetime) -> list[Person]:
    known, language = topics.list_topics(session), topics.DEFAULT_LOCALE
    return [
        Person(each.subscriber_id, each.created_at, preferences.read(each, known, language, now))
        for each in (work.look(session, ids) if ids else ())
    ]


def _lists() -> Select[*tuple[Any, ...]]:
    return select(FrozenListRow, StaffRow.email).join(
        StaffRow, StaffRow.id == FrozenListRow.staff_id
    )


def _frozen(row: FrozenListRow, email: str) -> FrozenList:
    return FrozenList(
        id=row.id,
        staff=email,
        created_at=row.created_at,
        filters=ListFilter.of(loads(row.filters)),
        what=row.what,
        topic=row.topic,
        until=row.until,
        note=row.note,
        state=row.state,
        people=row.people,
        expected=row.expected,
        changed=row.changed,
        restored=row.restored,
        skipped=row.skipped,
        failure=row.failure,
        done=min(row.position * STEP, row.people),
    )
