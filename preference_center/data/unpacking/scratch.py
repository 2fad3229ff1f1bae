"""Temporary files of a limited size."""

from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import BinaryIO

from preference_center.data.tabular import FileRefusedError

MEGABYTE = 1_000_000
MAX_UNPACKED = 200 * MEGABYTE  # bytes


class Scratch:
    """Makes unnamed temporary files, which `stack` closes, of at most `limit` bytes together."""

    def __init__(self, stack: ExitStack, limit: int) -> None:
        self._stack = stack
        self.limit, self.left = limit, limit

    def new(self) -> BinaryIO:
        """Return a new empty file."""
        return self._stack.enter_context(TemporaryFile())

    def write(self, file: BinaryIO, data: bytes) -> None:
        """Append to a file, or raise FileRefusedError if this is more than the limit."""
        self.left -= len(data)
        if self.left < 0:
            raise too_large(self.limit)
        file.write(data)


def too_large(limit: int) -> FileRefusedError:
    """Return the error for a file that is larger than `limit` bytes when it is unpacked."""
    return FileRefusedError(
        f"the file is larger than {limit / MEGABYTE:,.0f} MB when it is unpacked: unpack it and "
        "import its files one by one, or use --max-unpacked"
    )
