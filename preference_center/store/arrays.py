"""Columns of rows as PostgreSQL's binary arrays.

psycopg can write arrays too, but looks for the type of their elements each time. With the columns
of a few rows, that takes several times as long as the writing.
"""

import struct
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

_HEADER = struct.Struct("!5i").pack
_INT4, _INT8 = struct.Struct("!i").pack, struct.Struct("!q").pack
_NULL = _INT4(-1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class ArrayType:
    """A type of arrays, by the name of its elements' type, with their numbers in `pg_type`.

    `write` returns the binary format of an element. `form` is the class of the arrays, by which
    psycopg knows their type.
    """

    name: str
    element_oid: int
    oid: int
    write: Callable[[Any], bytes]
    form: type[bytes]

    def array(self, values: Iterable[Any]) -> bytes:
        """Return the array of some values, of which any may be None."""
        write, parts, count = self.write, [b""], 0
        for value in values:
            count += 1
            if value is None:
                parts.append(_NULL)
            else:
                element = write(value)
                parts += _INT4(len(element)), element
        # One dimension, in which NULL may occur, numbered from 1.
        parts[0] = _HEADER(1, 1, self.element_oid, count, 1)
        return self.form(b"".join(parts))


def _days(value: date) -> bytes:
    return _INT4(value.toordinal() - _EPOCH_DAY)


@lru_cache(1024)  # The rows of a batch repeat a few times.
def _microseconds(value: datetime) -> bytes:
    return _INT8((value - _EPOCH) // _MICROSECOND)


def _truth(value: bool) -> bytes:
    return b"\1" if value else b"\0"


def _uuid(value: uuid.UUID) -> bytes:
    return value.int.to_bytes(16)


def _type(name: str, element_oid: int, oid: int, write: Callable[[Any], bytes]) -> ArrayType:
    return ArrayType(name, element_oid, oid, write, type(f"{name}_array", (bytes,), {}))


BOOL = _type("bool", 16, 1000, _truth)
BYTEA = _type("bytea", 17, 1001, bytes)
INT8 = _type("int8", 20, 1016, _INT8)
TEXT = _type("text", 25, 1009, str.encode)
DATE = _type("date", 1082, 1182, _days)
TIMESTAMPTZ = _type("timestamptz", 1184, 1185, _microseconds)
UUID = _type("uuid", 2950, 2951, _uuid)
TYPES = (BOOL, BYTEA, INT8, TEXT, DATE, TIMESTAMPTZ, UUID)
