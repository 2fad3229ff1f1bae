"""One row of a file: its cells, what is wrong with it, and the bytes it came as."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from preference_center.data.tabular.rest import Rest

_MAX_BATCH_BYTES = 16_777_216
_BYTES_A_CELL = 64  # what a cell takes in memory beside its text


class FileRefusedError(Exception):
    """A file as a whole cannot be read: no header, no text, a column missing."""


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot be used: its line and why. `why` holds nothing of the row itself.

    `raw` is the row as it came, in the encoding of its file; of a very long line it is the
    beginning, and `rest` is what follows.
    """

    line: int
    why: str
    raw: bytes = field(default=b"", repr=False, compare=False)
    rest: Rest | None = field(default=None, repr=False, compare=False)

    def pieces(self) -> Iterator[bytes]:
        """Yield the row as it came, piece by piece."""
        yield self.raw
        yield from self.rest or ()


@dataclass(frozen=True)
class Row:
    """One row's cells by column name, and the line of the file it begins on.

    `problems` says what is wrong with the row although it could be read: a cell too many, say.
    Apply what ends consent in such a row, and report the problems; refuse what starts anything.
    """

    line: int
    cells: Mapping[str, str]
    problems: tuple[str, ...] = ()
    raw: bytes = field(default=b"", repr=False, compare=False)
    rest: Rest | None = field(default=None, repr=False, compare=False)

    def refused(self, why: str = "") -> RefusedRow:
        """Return this row as refused, for `why` and for its own problems."""
        all_of_it = "; ".join(filter(None, (why, *self.problems)))
        return RefusedRow(self.line, all_of_it, self.raw, self.rest)


def batches(
    rows: Iterable[Row | RefusedRow], max_rows: int, max_bytes: int = _MAX_BATCH_BYTES
) -> Iterator[list[Row | RefusedRow]]:
    """Yield `rows` in lists of at most `max_rows`, fewer where the rows are long."""
    batch: list[Row | RefusedRow] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(row.raw) + _BYTES_A_CELL * (len(row.cells) if isinstance(row, Row) else 0)
        if len(batch) >= max_rows or size >= max_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
