"""The texts of pages and emails, and what else of them, that members of staff have edited."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.store.tables.base import Base


class EditedText(Base):
    """A version of a text in one language: a draft, or one that was published.

    `message` is a digest of the English text, `english` and `forms` are JSON arrays: one text, or
    all plural forms. No forms mean that the standard text was put back. `publication` numbers all
    publications in the order of their commits; a draft has none. What is the same in every language
    has the language "", and its name in place of a digest: the brand's colour, its logo as a data:
    URL, and the codes of the reasons that are offered.
    """

    __tablename__ = "edited_texts"
    __table_args__ = (Index(None, "language", "message"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(String(32))
    english: Mapped[str]
    forms: Mapped[str]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime]
    publication: Mapped[int | None] = mapped_column(BigInteger, unique=True)
