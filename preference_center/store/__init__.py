"""The database: one engine, `transaction()` to change it, `reading()` to look."""

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
    "SilentError",
    "UnavailableError",
    "write_last",
]
