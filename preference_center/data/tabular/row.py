"""Rows of a file, and rows that are refused."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from preference_center.data.tabular.rest import Rest

_MAX_BATCH_BYTES = 16_777_216
_CELL_OVERHEAD = 64  # bytes of memory in addition to the text of a cell


class FileRefusedError(Exception):
    """A file as a whole cannot be used: it has no header, is not text, or lacks a column."""


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot be used, with its line number and why. `why` quotes nothing of the row.

    `raw` has the bytes of the row in its file. For a very long line it has the beginning, and
    `rest` has what follows. `part` is the entry of an archive or the sheet of a workbook that has
    the row.
    """

    line: int
    why: str
    raw: bytes = field(default=b"", repr=False, compare=False)
    rest: Rest | None = field(default=None, repr=False, compare=False)
    part: str = ""

    @property
    def where(self) -> str:
        """Return where the row is, for a message."""
        return _where(self.part, self.line)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of the row in its file, in pieces."""
        yield self.raw
        yield from self.rest or ()


@dataclass(frozen=True)
class Row:
    """The cells of one row by column name in lower case, and the number of its first line.

    `problems` are things wrong with a row that could be read, such as a surplus cell. Apply such a
    row if it ends consent, and report its problems; refuse it if it starts anything.
    """

    line: int
    cells: Mapping[str, str]
    problems: tuple[str, ...] = ()
    raw: bytes = field(default=b"", repr=False, compare=False)
    rest: Rest | None = field(default=None, repr=False, compare=False)
    part: str = ""
    spelled: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns as the file has them, such as `isActive`."""
        return self.spelled or tuple(self.cells)

    def refused(self, why: str = "") -> RefusedRow:
        """Return this row as refused, because of `why` and its own problems."""
        reasons = "; ".join(filter(None, (why, *self.problems)))
        return RefusedRow(self.line, reasons, self.raw, self.rest, self.part)

    @property
    def where(self) -> str:
        """Return where the row is, for a message."""
        return _where(self.part, self.line)


def _where(part: str, line: int) -> str:
    return f"{part}, line {line}" if part else f"line {line}"


def batches(
    rows: Iterable[Row | RefusedRow], max_rows: int, max_bytes: int = _MAX_BATCH_BYTES
) -> Iterator[list[Row | RefusedRow]]:
    """Yield rows in lists of at most `max_rows`, fewer if their memory exceeds `max_bytes`."""
    batch: list[Row | RefusedRow] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.raw) + _CELL_OVERHEAD * (len(row.cells) if isinstance(row, Row) else 0)
        if len(batch) >= max_rows or size >= max_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
