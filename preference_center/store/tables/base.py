"""What all tables share: column types and the names of constraints."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, Dialect, MetaData, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

# Byte order on both engines, so that an export is the same whatever the server's locale.
Slug = String(32).with_variant(String(32, collation="C"), "postgresql")


class Utc(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite drops the offset, so values are converted to UTC first."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a time needs its zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(TypeDecorator[StrEnum]):
    """A member of one enum, stored as its value."""

    impl = String
    cache_ok = True

    def __init__(self, vocabulary: type[StrEnum], length: int = 16) -> None:
        super().__init__(length)
        self.vocabulary = vocabulary

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return None if value is None else self.vocabulary(value).value

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[str | None], StrEnum | None]:
        # A look-up takes a tenth of the time of `process_result_value`. Pages read thousands.
        members: dict[str | None, StrEnum | None] = {each.value: each for each in self.vocabulary}
        return (members | {None: None}).__getitem__

    @property
    def python_type(self) -> type[StrEnum]:
        return self.vocabulary


def one_of(column: str, members: Iterable[StrEnum]) -> CheckConstraint:
    """Return the constraint that a column holds one of `members`."""
    values = ", ".join(f"'{member.value}'" for member in members)
    return CheckConstraint(f"{column} IN ({values})", name=column)


class Base(DeclarativeBase):
    """Names every constraint, so that a later migration can find it on both engines."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Utc, str: Text}  # noqa: RUF012 (SQLAlchemy reads it)


def row_values(row: Base) -> dict[str, Any]:
    """Return a row's columns by name."""
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}
