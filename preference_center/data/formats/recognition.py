"""Recognise the format of a file by the columns of its tables."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice

from preference_center.data.formats import registry
from preference_center.data.formats.base import Format, folded_name
from preference_center.data.formats.ses import HEADERLESS, REASONS
from preference_center.data.identity import IDENTITY_COLUMNS
from preference_center.data.import_columns import listed
from preference_center.data.import_records import Rules
from preference_center.data.import_source import ImportSource, open_source
from preference_center.data.tabular import (
    CsvFile,
    FileRefusedError,
    JsonLinesFile,
    RefusedRow,
    Row,
    read_csv,
    read_rows,
)
from preference_center.data.unpacking import Part, Unpacked

_MAX_SHOWN = 30  # columns in an error
_LINES_LOOKED_AT = 100  # of JSON Lines, for the first that can be read


@dataclass(frozen=True, eq=False)
class Table:
    """A part of a file, the names of its columns and its header.

    `shown` is the name of the part in messages, "" for the only part of a file. `given` are the
    names of the columns of a part without a header.
    """

    part: Part
    shown: str
    names: tuple[str, ...]
    header: bytes
    given: tuple[str, ...] | None = None

    @property
    def is_about_people(self) -> bool:
        """Return True if a column says who a row is about."""
        return registry.is_about_people(self.names)

    def rows(self) -> Iterator[Row | RefusedRow]:
        """Yield the rows from the beginning."""
        self.part.file.seek(0)
        given = self.given
        rows = read_rows(self.part.file) if given is None else read_csv(self.part.file, given)
        return map(self._with_fault, rows) if self.part.faults else iter(rows)

    def _with_fault(self, row: Row | RefusedRow) -> Row | RefusedRow:
        fault = self.part.faults.get(row.line)
        if fault is None or isinstance(row, RefusedRow):
            return row
        return replace(row, problems=(*row.problems, fault))

    def source(self, rules: Rules) -> ImportSource:
        """Return the table as a file with the columns of `import`; raise FileRefusedError."""
        self.part.file.seek(0)
        lower = {*map(str.lower, self.names)}
        mapped = tuple(pair for pair in rules.columns if pair[0] in lower)
        return open_source(self.part.file, None, rules.ignored.intersection(lower), mapped)


def tables_of(unpacked: Unpacked) -> tuple[list[Table], list[str]]:
    """Return the tables of a file, and the names of its empty parts; raise FileRefusedError."""
    tables, empty = [], []
    for part in unpacked.parts:
        if unpacked.is_container and not part.size:
            empty.append(part.name)
            continue
        shown = part.name if unpacked.is_container else ""
        try:
            tables.append(_table(part, shown))
        except FileRefusedError as error:
            raise FileRefusedError(f"{shown}: {error}" if shown else str(error)) from None
    return tables, empty


def recognised(tables: list[Table], name: str, rules: Rules) -> tuple[Format | None, list[Table]]:
    """Return the format of a file, None for the columns of `import`, and the tables that have it.

    Raises:
        FileRefusedError: no table has the format, or it is unclear which it is.
    """
    form = registry.FORMATS.get(name)
    if name == registry.AUTO:
        form = _found(tables, rules)
    if form is None:
        own = [table for table in tables if table.is_about_people or _is_mapped(table, rules)]
        return None, own or tables
    read = [table for table in tables if form.variant(frozenset(map(folded_name, table.names)))]
    if not read:
        raise FileRefusedError(
            f"this is not a file as {form.title} writes it. {_columns(tables)}. "
            "Use --from auto to find its format, or --from csv, with --status if it only has "
            "addresses"
        )
    return form, read


def _found(tables: list[Table], rules: Rules) -> Format | None:
    found = {form.name: form for table in tables for form in registry.matching(table.names)}
    if len(found) > 1:
        options = ", ".join(f"--from {name}" for name in found)
        raise FileRefusedError(f"the file could be in several formats: use one of {options}")
    if found:
        return next(iter(found.values()))
    if any(_is_plain(table, rules) for table in tables):
        return None
    found_hints = (registry.hints(table.names, table.part.name) for table in tables)
    hints = "".join(f"{each} " for each in dict.fromkeys(chain.from_iterable(found_hints)))
    raise FileRefusedError(
        f"the format is not recognised. {_columns(tables)}. {hints}Otherwise use --from csv, with "
        "--map COLUMN=FIELD and --map-status WORD=STATUS, or with --status for all rows"
    )


def _is_plain(table: Table, rules: Rules) -> bool:
    """Return True if a table has the columns of `import`, or if the options replace them."""
    has_status = rules.status is not None and table.is_about_people
    if rules.status is not None and not rules.status.ends_consent:
        # The file may be a list of people who left, and the operator does not know it.
        has_status = has_status and not registry.matching(table.names, certain=False)
    return has_status or bool(rules.columns) or registry.is_plain(table.names)


def _columns(tables: list[Table]) -> str:
    names = dict.fromkeys(name for table in tables for name in table.names if "@" not in name)
    more = ", …" if len(names) > _MAX_SHOWN else ""
    return (
        f"Its columns are {listed(islice(names, _MAX_SHOWN))}{more}"
        if names
        else "It has no header"
    )


def _is_mapped(table: Table, rules: Rules) -> bool:
    """Return True if a column of a table is declared to say who a row is about."""
    lower = {*map(str.lower, table.names)}
    return any(column in IDENTITY_COLUMNS and name in lower for name, column in rules.columns)


def _table(part: Part, shown: str) -> Table:
    part.file.seek(0)
    source = read_rows(part.file)
    if isinstance(source, JsonLinesFile):
        rows = (row for row in islice(source, _LINES_LOOKED_AT) if isinstance(row, Row))
        first = next(rows, None)
        return Table(part, shown, first.names if first else (), source.header)
    if _has_no_header(source):
        return Table(part, shown, HEADERLESS, b"", HEADERLESS)
    return Table(part, shown, source.spelled, source.header)


def _has_no_header(source: CsvFile) -> bool:
    """Return True for addresses with reasons, as SES imports them."""
    columns = source.columns
    return len(columns) == len(HEADERLESS) and "@" in columns[0] and columns[1] in REASONS
