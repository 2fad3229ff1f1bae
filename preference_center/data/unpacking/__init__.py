"""Take a file apart into CSV and JSON Lines: archives, Excel workbooks and JSON documents.

Files are not trusted. What is unpacked goes to unnamed temporary files, and its size is limited
before and while it is unpacked. No row is read before a whole file is unpacked.
"""

from preference_center.data.unpacking.parts import (
    TABLES,
    Part,
    UniqueNames,
    Unpacked,
    is_simple,
    name_of,
    unpack,
)
from preference_center.data.unpacking.scratch import MAX_UNPACKED, MEGABYTE

__all__ = [
    "MAX_UNPACKED",
    "MEGABYTE",
    "TABLES",
    "Part",
    "UniqueNames",
    "Unpacked",
    "is_simple",
    "name_of",
    "unpack",
]
