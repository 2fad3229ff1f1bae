"""The database: one engine, `transaction()` to change it, `reading()` to look."""

from sqlalchemy.orm import Session

from preference_center.store.engine import (
    Database,
    KeyCheckError,
    SchemaError,
    SilentError,
    UnavailableError,
    write_last,
)

__all__ = [
    "Database",
    "KeyCheckError",
    "SchemaError",
    "Session",
    "SilentError",
    "UnavailableError",
    "write_last",
]
