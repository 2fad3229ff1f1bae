"""What the writers of all formats share: the columns of an export, and their interface."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

Cells = Sequence[str]  # The cells of one column, as text: "" where there is no value.


class CellType(StrEnum):
    """What the cells of a column hold."""

    TEXT = "text"  # Any text.
    WORD = "word"  # A word or a name, of which there are few.
    ID = "id"  # Hexadecimal digits and hyphens.
    NUMBER = "number"  # An integer.
    TIME = "time"  # A time in UTC, as `datetime.isoformat` writes it.
    DATE = "date"  # A day, like 2026-11-22.


@dataclass(frozen=True)
class Column:
    """The name of a column, and what its cells hold."""

    name: str
    type: CellType


class ExportWriter(Protocol):
    """Writes the rows of one export to a file."""

    def write(self, columns: Sequence[Cells]) -> None:
        """Write a batch of rows, given by column."""

    def close(self) -> None:
        """Write the end of the file, which stays open."""
