"""What members of staff note of a day, like a change of provider, to read figures by."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.store.tables.base import Base


class StaffNote(Base):
    """A note of a day, which charts show. It is about no subscriber."""

    __tablename__ = "staff_notes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(index=True)
    text: Mapped[str]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    created_at: Mapped[datetime]
