"""Read ZIP archives that may be hostile: too many entries, wrong sizes, archives in archives.

The sizes that the header of a ZIP archive states may be wrong. `zipfile` reads no more of an entry
than is stated, and then finds that its checksum is wrong.
"""

import lzma
import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from preference_center.data.tabular import FileRefusedError
from preference_center.data.unpacking.documents import encoding_of
from preference_center.data.unpacking.scratch import Scratch, Slice, too_large

MAGIC = b"PK\x03\x04"
MAX_ENTRIES = 10_000
_MAX_DIRECTORY = 4_194_304  # bytes of the list of entries
_MAX_RATIO = 200  # Text seldom reaches 50.
_RATIO_MATTERS = 1_048_576  # bytes; no smaller entry is a danger
_CHUNK = 65_536  # bytes
_HEAD = 4_096  # bytes of an entry that are looked at for addresses
_ENCRYPTED = 0x1
# Texts that are no lists, although addresses are in them.
_PROSE = (".html", ".htm", ".md", ".eml", ".css", ".js")
_CELL_WITH_ADDRESS = re.compile(
    r"""(?:^|[,;|\t"'>])[ ]*+[^\s@,;|"'<>]++@(?=[^\s@,;|"'<>]*\.)[^\s@,;|"'<>]++[ \r]*+"""
    r"""(?:$|[,;|\t"'<])""",
    re.MULTILINE,
)
# The first bytes of ZIP, gzip, bzip2, xz, 7z, RAR and Zstandard.
_ARCHIVES = (
    MAGIC,
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\0",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"\x28\xb5\x2f\xfd",
)
# What `zipfile` and the decompressors raise for damaged bytes. MemoryError: an LZMA dictionary that
# is stated to be huge. OSError: bzip2, and positions that no file has.
_DAMAGED = (
    *(BadZipFile, EOFError, NotImplementedError, lzma.LZMAError, zlib.error, struct.error),
    *(ValueError, IndexError, OverflowError, OSError, MemoryError),
)
_IS_DAMAGED = "the ZIP archive or the workbook is damaged"


@contextmanager
def opened_archive(file: BinaryIO) -> Iterator[ZipFile]:
    """Yield a ZIP archive; raise FileRefusedError if it is damaged or has too many entries."""
    try:
        archive = ZipFile(_Bounded(file))
    except _DAMAGED:
        raise FileRefusedError(_IS_DAMAGED) from None
    with archive:
        if len(archive.infolist()) > MAX_ENTRIES:
            raise FileRefusedError(f"the archive has more than {MAX_ENTRIES:,} entries")
        if not all(entry.filename for entry in archive.infolist()):
            raise FileRefusedError(_IS_DAMAGED)
        yield archive


def files_of(archive: ZipFile) -> list[ZipInfo]:
    """Return the entries that are files, without those that an operating system adds."""
    return [entry for entry in archive.infolist() if not entry.is_dir() and not _is_clutter(entry)]


def check_sizes(entries: Iterable[ZipInfo], limit: int) -> None:
    """Raise FileRefusedError if the entries state that they are too large or packed too densely."""
    total = 0
    for entry in entries:
        total += entry.file_size
        if entry.flag_bits & _ENCRYPTED:
            raise FileRefusedError("the archive is encrypted: unpack it and import its files")
        dense = entry.file_size > _MAX_RATIO * max(entry.compress_size, 1)
        if dense and entry.file_size > _RATIO_MATTERS:
            raise FileRefusedError(
                f"an entry of the archive unpacks to more than {_MAX_RATIO} times its size: "
                "unpack it and import its files"
            )
    if total > limit:
        raise too_large(limit)


def unpack_entry(archive: ZipFile, entry: ZipInfo, scratch: Scratch) -> Slice:
    """Return the content of an entry as a temporary file; raise FileRefusedError."""
    target = scratch.new()
    for chunk in _chunks(archive, entry):
        if not target.size and chunk.startswith(_ARCHIVES):
            raise FileRefusedError(
                "the archive contains another archive or a workbook: unpack it and import its files"
            )
        scratch.write(target, chunk)
    return target


def check_contents(archive: ZipFile, limit: int) -> None:
    """Raise FileRefusedError if the contents are not what the header states, or are too large."""
    check_sizes(archive.infolist(), limit)
    for entry in archive.infolist():
        for _ in _chunks(archive, entry):
            pass  # `zipfile` compares the size and the checksum.


def has_addresses(archive: ZipFile, entry: ZipInfo) -> bool:
    """Return True if an entry is text whose beginning has an address on its own or in a cell.

    It may have one if it is encrypted, or compressed in a way of which a few bytes may become a
    hundred megabytes.
    """
    if entry.filename.lower().endswith(_PROSE):
        return False
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return True
    head = next(_chunks(archive, entry, _HEAD), b"")
    text = head.decode(encoding_of(head), "ignore")
    return "\0" not in text and _CELL_WITH_ADDRESS.search(text) is not None


def base_name(entry: ZipInfo) -> str:
    """Return the name of an entry without its folders."""
    return without_folders(entry.filename)


def without_folders(name: str) -> str:
    """Return the last part of a path of any system."""
    return name.replace("\\", "/").rpartition("/")[2]


def _chunks(archive: ZipFile, entry: ZipInfo, size: int = _CHUNK) -> Iterator[bytes]:
    try:
        with archive.open(entry) as source:
            while chunk := source.read(size):
                yield chunk
    except (*_DAMAGED, RuntimeError):  # RuntimeError: an encrypted entry.
        raise FileRefusedError(_IS_DAMAGED) from None


def _is_clutter(entry: ZipInfo) -> bool:
    """Return True for what macOS and Windows add to an archive."""
    folders, name = entry.filename.split("/")[:-1], base_name(entry)
    is_resource = "__MACOSX" in folders or name.startswith("._")
    return is_resource or name in (".DS_Store", "Thumbs.db", "desktop.ini")


class _Bounded:
    """A file from which `zipfile` cannot read a huge list of entries into memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Return bytes, or raise FileRefusedError if they are too many at once."""
        if size < 0:
            at = self._file.tell()
            size = self._file.seek(0, os.SEEK_END) - at
            self._file.seek(at)
        if size > _MAX_DIRECTORY:
            raise FileRefusedError("the archive has too many entries")
        return self._file.read(size)

    def close(self) -> None:
        """Leave the file open."""
