"""Open a file of `import` in any format, and yield its rows: all unsubscribes before the others."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from typing import BinaryIO

from preference_center.data import import_parts
from preference_center.data.formats import registry
from preference_center.data.formats.base import Format
from preference_center.data.formats.layout import layout_of
from preference_center.data.formats.reader import FormatReader, PlainReader, ReadableRow, Reader
from preference_center.data.formats.recognition import Table, recognised, tables_of
from preference_center.data.import_columns import listed, match
from preference_center.data.import_records import Rules
from preference_center.data.import_source import ImportSource, open_source, require_columns
from preference_center.data.tabular import FileRefusedError, RefusedRow, Row
from preference_center.data.unpacking import MAX_UNPACKED, Unpacked, is_simple, name_of, unpack

MAX_NAMED = 5  # parts of a file that a note names


@dataclass(frozen=True)
class Choice:
    """How a file is to be read.

    Attributes:
        format_name: one of `registry.NAMES`.
        file_format: `csv` or `jsonl`, or None if the file decides.
        max_unpacked: the size in bytes up to which the file is unpacked.
        ignored_parts: names, in lower case, of entries or sheets that are not read.
    """

    format_name: str = registry.PLAIN
    file_format: str | None = None
    max_unpacked: int = MAX_UNPACKED
    ignored_parts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ImportFile:
    """A file that is open for an import.

    Attributes:
        rows: its rows.
        notes: what to print before they are imported, as sentences.
        headers: the bytes before the first row of each part, by its name; "" for the only one.
        form: the other system's format, or None.
        telling_name: the name of the only part, if it says what the rows mean, else "".
    """

    rows: Iterable[Row | RefusedRow]
    notes: tuple[str, ...]
    headers: Mapping[str, bytes]
    form: Format | None = None
    telling_name: str = ""

    @property
    def passes(self) -> "Passes | None":
        """Return the rows if they are read twice, from temporary files, else None."""
        return self.rows if isinstance(self.rows, Passes) else None

    @property
    def blind_spots(self) -> tuple[str, ...]:
        """Return what files of this format do not say, as sentences."""
        return self.form.blind_spots if self.form is not None else ()


def open_import(file: BinaryIO, choice: Choice, rules: Rules, stack: ExitStack) -> ImportFile:
    """Open a file for an import; `stack` closes what is temporary.

    Raises:
        FileRefusedError: the file cannot be unpacked, is in another format, or could be misread.
    """
    may_have_parts = not (choice.file_format or is_simple(file))
    if choice.format_name == registry.PLAIN and not may_have_parts:
        _require_parts(choice.ignored_parts, ())
        return _open_plain(file, choice, rules)
    unpacked = unpack(file, stack, choice.max_unpacked)
    unpacked = _without(unpacked, choice.ignored_parts)
    tables, empty = tables_of(unpacked)
    form, read = recognised(tables, choice.format_name, rules)
    hints: Iterable[str] = ()
    if form is None:
        read = _checked(read, rules)
        hints = (each for table in read for each in registry.hints(table.names, table.part.name))
    elif rules.columns or rules.words:
        raise FileRefusedError("--map and --map-status are for files in the format csv only")
    names = tuple(dict.fromkeys(chain.from_iterable(table.names for table in read)))
    require_columns("--ignore-column", rules.ignored, names)
    suspects = tuple(import_parts.suspects(form, tables, read, unpacked, rules))
    notes = (
        *_what(form, read),
        *_named("Hidden sheets, which are read too", unpacked.hidden),
        *_named("Nothing is started, because these may say who opted out", suspects),
        *_left_out(tables, read, (*empty, *unpacked.left_out), suspects),
        *_unread(form, read, rules),
        *dict.fromkeys(hints),
    )
    why = import_parts.reason(suspects) if suspects else ""
    readers = [(table, _reader(form, table, rules, why)) for table in read]
    headers = {table.shown: table.header for table in read}
    return ImportFile(Passes(readers), notes, headers, form, _telling_name(form, read, rules))


class Passes:
    """The rows of all tables, twice: to read unsubscribes, and then everything else."""

    def __init__(self, tables: list[tuple[Table, Reader]]) -> None:
        self._tables = tables
        self._done = 0
        self._current: BinaryIO | None = None
        self.size = 2 * sum(table.part.size for table, _ in tables)

    def tell(self) -> int:
        """Return how many bytes were read, of `size`."""
        return self._done + (self._current.tell() if self._current is not None else 0)

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        for stops in (True, False):
            for table, reader in self._tables:
                self._current = table.part.file
                yield from _rows(table, reader, stops=stops)
                self._current = None
                self._done += table.part.size


def _rows(table: Table, reader: Reader, *, stops: bool) -> Iterator[Row | RefusedRow]:
    for row in table.rows():
        if isinstance(row, Row):
            values = (row.line, row.cells, row.problems, row.raw, row.rest, table.shown)
            yield ReadableRow(*values, row.spelled, reader=reader, stops=stops)
        elif not stops:
            yield replace(row, part=table.shown)


def _open_plain(file: BinaryIO, choice: Choice, rules: Rules) -> ImportFile:
    source = open_source(file, choice.file_format, rules.ignored, rules.columns)
    hints = registry.hints(source.names, name_of(file))
    notes = (*_ignored(_check(source, rules, hints)), *hints)
    return ImportFile(source.rows, notes, {"": source.header})


def _check(source: ImportSource, rules: Rules, hints: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that are not read, or raise FileRefusedError with the hints."""
    try:
        return source.check(rules.ignored, rules.status, rules.columns).unread
    except FileRefusedError as error:
        raise FileRefusedError(". ".join((str(error), *hints)).removesuffix(".")) from None


def _checked(tables: list[Table], rules: Rules) -> list[Table]:
    """Return the tables with the columns of `import`, or raise FileRefusedError."""
    for table in tables:
        try:
            _check(table.source(rules), rules, registry.hints(table.names, table.part.name))
        except FileRefusedError as error:
            where = f"{table.shown}: " if table.shown else ""
            raise FileRefusedError(f"{where}{error}") from None
    return tables


def _reader(form: Format | None, table: Table, rules: Rules, why: str) -> Reader:
    """Return the reader of a table; it refuses what starts a topic if there is a `why`."""
    reader: Reader = PlainReader(rules)
    if form is not None:
        reader = FormatReader(form, table.part.name, rules)
    return import_parts.GuardedReader(reader, why) if why else reader


def _without(unpacked: Unpacked, ignored: frozenset[str]) -> Unpacked:
    """Return a file without the parts that are ignored, or raise FileRefusedError."""
    names = tuple(part.name for part in unpacked.parts) if unpacked.is_container else ()
    _require_parts(ignored, (*names, *unpacked.left_out))
    parts = tuple(each for each in unpacked.parts if each.name.lower() not in ignored)
    if not parts:
        raise FileRefusedError("--ignore-part: no other part is left")
    left_out = tuple(each for each in unpacked.left_out if each.lower() not in ignored)
    return replace(unpacked, parts=parts, left_out=left_out)


def _require_parts(ignored: frozenset[str], names: tuple[str, ...]) -> None:
    """Raise FileRefusedError if a file has no part that is to be ignored."""
    if unknown := sorted(ignored.difference(map(str.lower, names))):
        raise FileRefusedError(
            f"--ignore-part: there is no sheet or entry {unknown[0]!r} in the file"
        )


def _what(form: Format | None, tables: list[Table]) -> Iterator[str]:
    if form is not None and len(tables) > 1:
        yield f"Format: {form.title}, {len(tables)} files."
    elif form is not None:
        yield f"Format: {form.title}."


def _telling_name(form: Format | None, tables: list[Table], rules: Rules) -> str:
    if form is None or len(tables) > 1:
        return ""
    (table,) = tables
    is_needed = not layout_of(table.names, form, rules.ignored).default.is_stop
    tells = is_needed and form.meaning_of_name(table.part.name) is not None
    return table.part.name if tells else ""


def _unread(form: Format | None, tables: list[Table], rules: Rules) -> Iterator[str]:
    names = chain.from_iterable(_unread_of(form, table, rules) for table in tables)
    yield from _ignored(tuple(dict.fromkeys(names)))


def _unread_of(form: Format | None, table: Table, rules: Rules) -> tuple[str, ...]:
    if form is None:
        return match(table.names, rules.ignored, mapped=rules.columns).unread
    return layout_of(table.names, form, rules.ignored).columns.unread


def _ignored(names: tuple[str, ...]) -> Iterator[str]:
    if text := listed(names):
        yield f"Ignored columns: {text}."


def _left_out(
    tables: list[Table], read: list[Table], others: tuple[str, ...], suspects: tuple[str, ...]
) -> Iterator[str]:
    """Yield the parts that are not read, without the `suspects`, which have a note of their own."""
    noted = {*(each.shown for each in read), *suspects}
    left = [each for each in tables if each.shown not in noted]
    about_people = tuple(each.shown for each in left if each.is_about_people)
    yield from _named("Not read, although they have a column for addresses", about_people)
    more = tuple(each.shown for each in left if not each.is_about_people)
    yield from _named("Not read", (*more, *(each for each in others if each not in noted)))


def _named(what: str, names: tuple[str, ...]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
        yield f"{what}: {', '.join(names[:MAX_NAMED])}{more}."
