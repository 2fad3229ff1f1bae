"""Open the file of an import, and find its columns."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from preference_center.core.vocab import ImportStatus
from preference_center.data.identity import require_identity
from preference_center.data.import_columns import Columns, check, listed, match
from preference_center.data.tabular import (
    CsvFile,
    FileRefusedError,
    JsonLinesFile,
    RefusedRow,
    Row,
    read_csv,
    read_json_lines,
    read_rows,
)


@dataclass(frozen=True)
class ImportSource:
    """The rows of a file, the names of its columns as it has them, and the bytes of its header."""

    rows: Iterable[Row | RefusedRow]
    names: tuple[str, ...]
    header: bytes

    def check(
        self,
        ignored: frozenset[str],
        status: ImportStatus | None,
        mapped: tuple[tuple[str, str], ...] = (),
    ) -> Columns:
        """Return how the columns are read; raise FileRefusedError if the file could be misread."""
        columns = match(self.names, ignored, mapped=mapped)
        require_identity({*map(str.lower, self.names), *columns.read})
        if {"event", "seq", "hash"} <= {*map(str.lower, self.names)}:
            raise FileRefusedError(
                "this is an export of the ledger: use preference-center replay, or import "
                "preferences and suppressions"
            )
        check(columns, status)
        return columns


def open_source(
    file: BinaryIO,
    file_format: str | None,
    ignored: frozenset[str],
    mapped: tuple[tuple[str, str], ...] = (),
) -> ImportSource:
    """Return the rows and columns of a file; `ignored` are names of columns in lower case.

    `file_format` is `csv` or `jsonl`; with None, the name of the file or its first line decides.
    `mapped` are pairs: a column, and the column of `import` that it is read as.

    Raises:
        FileRefusedError: the file cannot be read, or has no column of an ignored or mapped name.
    """
    source = _parsed(file, file_format)
    if isinstance(source, CsvFile):
        return _csv_source(source, ignored, mapped)
    first: list[Row | RefusedRow] = []
    rows = iter(source)
    for row in rows:
        first.append(row)
        if isinstance(row, Row):
            return ImportSource(chain(first, rows), row.names, source.header)
    # No row is readable: each is refused on its own, so the columns do not matter.
    return ImportSource(first, ("email", "status"), source.header)


def _csv_source(
    source: CsvFile, ignored: frozenset[str], mapped: tuple[tuple[str, str], ...]
) -> ImportSource:
    names = source.spelled
    require_columns("--ignore-column", ignored, names)
    require_columns("--map", (name for name, _ in mapped), names)
    source.refuse_repeated(match(names, ignored, mapped=mapped).read.values())
    return ImportSource(source, names, source.header)


def require_columns(option: str, named: Iterable[str], names: Iterable[str]) -> None:
    """Raise FileRefusedError if a file has no column that an option names."""
    if unknown := sorted(set(named).difference(map(str.lower, names))):
        raise FileRefusedError(
            f"{option}: there is no column {unknown[0]!r}. The columns are {listed(names)}."
        )


def _parsed(file: BinaryIO, file_format: str | None) -> CsvFile | JsonLinesFile:
    if file_format == "csv":
        return read_csv(file)
    is_named_json = str(getattr(file, "name", "")).lower().endswith((".jsonl", ".ndjson"))
    return read_json_lines(file) if file_format or is_named_json else read_rows(file)
