"""The parts of a file: one, or the entries of an archive or the sheets of a workbook."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import PurePath
from tempfile import TemporaryFile
from typing import BinaryIO
from zipfile import ZipFile, ZipInfo

from preference_center.data.tabular import FileRefusedError
from preference_center.data.unpacking.archives import (
    MAGIC,
    base_name,
    check_sizes,
    files_of,
    has_addresses,
    opened_archive,
    unpack_entry,
    without_folders,
)
from preference_center.data.unpacking.documents import is_document, to_json_lines
from preference_center.data.unpacking.scratch import Scratch
from preference_center.data.unpacking.workbooks import is_workbook, sheets_of

_HEAD = 65_536  # bytes
TABLES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class Part:
    """CSV or JSON Lines, in a file whose position can be set.

    `name` has no folders, and is that of no other part. `path` is the name with the folders that it
    has in an archive, or "". `faults` has what is wrong with rows, by line.
    """

    name: str
    file: BinaryIO
    path: str = ""
    faults: Mapping[int, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        at = self.file.tell()
        size = self.file.seek(0, os.SEEK_END)
        self.file.seek(at)
        return size


@dataclass(frozen=True)
class Unpacked:
    """The parts of a file.

    `is_container` is True if the file is an archive or a workbook. `hidden` are the names of hidden
    sheets, which are among the parts. `left_out` are the names, with their folders, of entries that
    are not tables; those of them that look like a list of addresses all the same are in `lists`.
    """

    parts: tuple[Part, ...]
    is_container: bool = False
    hidden: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    lists: frozenset[str] = frozenset()


def is_simple(file: BinaryIO) -> bool:
    """Return True if a file is CSV or JSON Lines. Its position does not change."""
    if file.seekable():
        head = _head(file)
        return not (head.startswith(MAGIC) or is_document(head))
    # A pipe: what is in it so far may end within the first line.
    peek: Callable[[int], bytes] | None = getattr(file, "peek", None)
    head = peek(_HEAD) if peek is not None else b""
    return not (head.startswith(MAGIC) or (b"\n" in head and is_document(head)))


def unpack(file: BinaryIO, stack: ExitStack, limit: int) -> Unpacked:
    """Return the parts of a file; `stack` closes the temporary ones.

    Raises:
        FileRefusedError: it cannot be unpacked, or has more than `limit` bytes then.
    """
    name = name_of(file)
    if not file.seekable() or isinstance(file, BytesIO):
        file = _copied(file, stack)  # Workbooks are read by another process.
    head = _head(file)
    if head.startswith(MAGIC):
        with opened_archive(file) as archive:
            return _container(file, archive, Scratch(stack, limit))
    if is_document(head):
        # What it becomes is about as long as it is, and goes to a file.
        scratch = Scratch(stack, max(limit, 10 * Part(name, file).size))
        return Unpacked((Part(name, to_json_lines(file, scratch).opened()),))
    return Unpacked((Part(name, file),))


def name_of(file: BinaryIO) -> str:
    """Return the name of a file without folders, or "" if it has none."""
    return PurePath(str(getattr(file, "name", ""))).name


def _head(file: BinaryIO) -> bytes:
    start = file.tell()
    head = file.read(_HEAD)
    file.seek(start)
    return head


def _container(file: BinaryIO, archive: ZipFile, scratch: Scratch) -> Unpacked:
    if is_workbook(archive):
        sheets = sheets_of(file, archive, scratch)
        names = UniqueNames()
        named = [(names.new(sheet.name), sheet) for sheet in sheets]
        parts = tuple(Part(name, sheet.file.opened(), faults=sheet.faults) for name, sheet in named)
        hidden = tuple(name for name, sheet in named if sheet.hidden)
        return Unpacked(_filled(parts), is_container=True, hidden=hidden)
    entries = files_of(archive)
    tables = [each for each in entries if _is_table(each)]
    check_sizes(tables, scratch.limit)
    others = {_printable(each.filename): each for each in entries if not _is_table(each)}
    lists = frozenset(name for name, each in others.items() if has_addresses(archive, each))
    parts = _filled(_entries(archive, tables, scratch))
    return Unpacked(parts, is_container=True, left_out=tuple(others), lists=lists)


def _is_table(entry: ZipInfo) -> bool:
    return base_name(entry).lower().endswith(TABLES)


def _entries(archive: ZipFile, entries: Iterable[ZipInfo], scratch: Scratch) -> tuple[Part, ...]:
    parts: list[Part] = []
    names = UniqueNames()
    for entry in entries:
        content = unpack_entry(archive, entry, scratch).opened()
        if is_document(_head(content)):
            content = to_json_lines(content, scratch).opened()
        parts.append(Part(names.new(entry.filename), content, _printable(entry.filename)))
    return tuple(parts)


class UniqueNames:
    """Names of parts that can be shown and used for files, each only once.

    Case does not make a difference, because some systems compare names of files without it.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._counts: Counter[str] = Counter()

    def new(self, name: str) -> str:
        """Return a name without folders that was not returned before."""
        base = without_folders(_printable(name))
        first = new = base if base.strip(". ") else "unnamed"
        path = PurePath(first)
        while new.lower() in self._used:
            self._counts[first] += 1
            new = f"{path.stem} ({self._counts[first] + 1}){path.suffix}"
        self._used.add(new.lower())
        return new


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name)


def _filled(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if not parts:
        raise FileRefusedError("the archive or the workbook contains no table")
    return parts


def _copied(file: BinaryIO, stack: ExitStack) -> BinaryIO:
    """Return the content of a file without a position, or in memory, as a temporary one."""
    copy: BinaryIO = stack.enter_context(TemporaryFile())  # noqa: SIM115
    shutil.copyfileobj(file, copy)
    copy.seek(0)
    return copy
