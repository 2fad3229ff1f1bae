"""Frozen lists: the people whom staff saw when they previewed a change, and what became of it.

No statement about a subscriber reads these tables.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.core.staff_vocab import ListState
from preference_center.store.tables.base import Base, Slug, Word, one_of


class FrozenListRow(Base):
    """A list of people and one change to all of them.

    `filters` is JSON. `what` is `topic` or `all` for what ends, a frequency, or a pause that ends
    at `until`, of everything if `topic` is None. `people` counts the list, `expected` those whom
    the change would change, as counted before it. `position` is how many chunks are counted, or are
    changed now: it counts up, and down again during an undo. `attempts` counts those of the next
    step, which a worker makes until `leased_until`. `failure` is a sentence that says why no more
    are made.
    """

    __tablename__ = "frozen_lists"
    __table_args__ = (one_of("state", ListState),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    created_at: Mapped[datetime]
    filters: Mapped[str]
    what: Mapped[str] = mapped_column(String(16))
    topic: Mapped[str | None] = mapped_column(Slug)
    until: Mapped[datetime | None]
    note: Mapped[str]
    state: Mapped[ListState] = mapped_column(Word(ListState))
    people: Mapped[int]
    expected: Mapped[int]
    position: Mapped[int]
    changed: Mapped[int]
    restored: Mapped[int]
    skipped: Mapped[int]
    attempts: Mapped[int]
    leased_until: Mapped[datetime | None]
    failure: Mapped[str | None]


class FrozenListChunk(Base):
    """A part of a list, which one transaction changes.

    `ids` are the subscribers' ids, 16 bytes each. `rows` are the numbers of the first and the last
    ledger row that the change added for each, 4 bytes each, 0 where nothing changed. `skipped` are
    the ids that an undo left.
    """

    __tablename__ = "frozen_list_chunks"

    list_id: Mapped[UUID] = mapped_column(
        ForeignKey("frozen_lists.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ids: Mapped[bytes]
    rows: Mapped[bytes | None]
    skipped: Mapped[bytes]
