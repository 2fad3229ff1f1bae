"""Write the files of one system into a folder, each in parts if it has a limit."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from preference_center.data.suppression_files.system import OutputFile

_LINE_END = "\r\n"  # RFC 4180


class _Part:
    """A file, and how much it has. The header counts in bytes, not in rows."""

    def __init__(self, path: Path, header: str) -> None:
        self.path = path
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(handle, "wb")
        self.rows = self.size = 0
        if header:
            self._append(header)

    def add(self, line: str) -> None:
        self._append(line)
        self.rows += 1

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _append(self, line: str) -> None:
        self.size += self._file.write(f"{line}{_LINE_END}".encode())


class Folder:
    """A folder to which lines are added, file by file. On exit, everything is on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts: dict[str, list[_Part]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for part in self._open_parts():
            part.close()

    @property
    def rows(self) -> Mapping[str, int]:
        """Return the number of rows of each file, the header not counted."""
        parts = [part for parts in self._parts.values() for part in parts]
        return {part.path.name: part.rows for part in sorted(parts, key=lambda part: part.path)}

    def add(self, file: OutputFile, line: str) -> None:
        """Add a line to a file, or to its next part if this one is full."""
        parts = self._parts.setdefault(file.name, [])
        if not parts or _is_full(parts[-1], file, line):
            if parts:
                parts[-1].close()
            stem, dot, suffix = file.name.rpartition(".")
            number = f"-{len(parts) + 1}" if parts else ""
            parts.append(_Part(self._path / f"{stem}{number}{dot}{suffix}", file.header))
        parts[-1].add(line)

    def _open_parts(self) -> list[_Part]:
        return [parts[-1] for parts in self._parts.values()]


def _is_full(part: _Part, file: OutputFile, line: str) -> bool:
    if file.max_rows is not None and part.rows >= file.max_rows:
        return True
    more = len(line.encode()) + len(_LINE_END)
    return file.max_bytes is not None and part.size + more > file.max_bytes
