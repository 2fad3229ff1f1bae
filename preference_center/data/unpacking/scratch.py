"""Temporary files of a limited size."""

import os
from contextlib import ExitStack
from io import BufferedReader, RawIOBase
from tempfile import TemporaryFile
from typing import BinaryIO

from preference_center.data.tabular import FileRefusedError

MEGABYTE = 1_000_000
MAX_UNPACKED = 200 * MEGABYTE  # bytes


class Slice(RawIOBase):
    """A part of a file, for reading. It begins at the end of the file at the time it is made."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._start = file.seek(0, os.SEEK_END)
        self._at = 0
        self.size = 0  # bytes

    def append(self, data: bytes) -> None:
        """Append to this part, which is the last of the file."""
        self._file.seek(self._start + self.size)
        self._file.write(data)
        self.size += len(data)

    def opened(self) -> BufferedReader:
        """Return this part as a file, at its beginning."""
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._start + self._at)
        data = self._file.read(min(len(buffer), self.size - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at


class Scratch:
    """One unnamed temporary file of at most `limit` bytes, which `stack` closes."""

    def __init__(self, stack: ExitStack, limit: int) -> None:
        self._file: BinaryIO = stack.enter_context(TemporaryFile())  # noqa: SIM115
        self.limit, self._left = limit, limit

    def new(self) -> Slice:
        """Return a new part of the file. Those before it can no longer be appended to."""
        return Slice(self._file)

    def write(self, part: Slice, data: bytes) -> None:
        """Append to a part, or raise FileRefusedError if this is more than the limit."""
        self._left -= len(data)
        if self._left < 0:
            raise too_large(self.limit)
        part.append(data)


def too_large(limit: int) -> FileRefusedError:
    """Return the error for a file that is larger than `limit` bytes when it is unpacked."""
    return FileRefusedError(
        f"the file is larger than {limit / MEGABYTE:,.0f} MB when it is unpacked: unpack it and "
        "import its files one by one, or use --max-unpacked"
    )
