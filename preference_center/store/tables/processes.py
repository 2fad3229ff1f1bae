"""The processes that may hold unsubscribes in a spool."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from preference_center.store.tables.base import Base


class ServingProcess(Base):
    """A process with a spool, by its last report. Times are those of the database's clock.

    Everything that the process had acknowledged by `empty_at` is in the database. `waiting_rows` is
    how many unsubscribes waited in its spool at `reported_at`, and `oldest_at` when the oldest of
    them was acknowledged, by the clock of the process.
    """

    __tablename__ = "serving_processes"

    process_id: Mapped[UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    started_at: Mapped[datetime]
    reported_at: Mapped[datetime]
    empty_at: Mapped[datetime | None]
    waiting_rows: Mapped[int]
    oldest_at: Mapped[datetime | None]
