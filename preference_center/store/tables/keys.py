"""The check values of the keys that this database is used with."""

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from preference_center.core.vocab import KeyKind
from preference_center.store.tables.base import Base, Word, one_of


class KeyCheck(Base):
    """A key that this database is used with. The check value is an HMAC that does not reveal it."""

    __tablename__ = "key_checks"
    __table_args__ = (one_of("kind", KeyKind),)

    kind: Mapped[KeyKind] = mapped_column(Word(KeyKind, 8), primary_key=True)
    check_value: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    added_at: Mapped[datetime]
