"""Files that take their name only when they are whole, and targets that cannot be replaced."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

_OPEN_ALREADY = ("/dev/fd/", "/dev/std", "/proc/")  # they may lead to a file that others write to


@contextmanager
def text_file(target: Path) -> Iterator[TextIO]:
    """Yield `whole_file(target)` for text, in UTF-8."""
    with whole_file(target) as file:
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            text.detach()


@contextmanager
def whole_file(target: Path, *, even_if_cut_short: bool = False) -> Iterator[BinaryIO]:
    """Yield a file that takes the name of `target` only when all of it is on the disk.

    A new file can be read by its owner alone, since it holds addresses. One that replaces another
    has that one's owner, group and mode. The target of a symbolic link is replaced, and the link
    stays. A device or a FIFO is written to. With `even_if_cut_short`, what was written before an
    exception is kept too.

    Raises:
        OSError: the target cannot be written, or its owner cannot be kept.
    """
    replaced = _stat(target)
    if replaced is not None and not _can_be_replaced(target, replaced):
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_APPEND), "wb") as file:
            yield file
        return
    target = Path(os.path.realpath(target))
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            if replaced is not None:
                _keep_owner(handle, replaced, target)
            try:
                yield file
            except BaseException:
                if even_if_cut_short:
                    _finish(file, target, name)
                raise
            _finish(file, target, name)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _stat(target: Path) -> os.stat_result | None:
    try:
        return target.stat()
    except FileNotFoundError:
        return None


def _can_be_replaced(target: Path, found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and not str(target.absolute()).startswith(_OPEN_ALREADY)


def _keep_owner(handle: int, replaced: os.stat_result, target: Path) -> None:
    ours = os.fstat(handle)
    try:
        if (ours.st_uid, ours.st_gid) != (replaced.st_uid, replaced.st_gid):
            os.fchown(handle, replaced.st_uid, replaced.st_gid)
        os.fchmod(handle, stat.S_IMODE(replaced.st_mode))
    except PermissionError as error:
        raise PermissionError(error.errno, "its owner cannot be kept", str(target)) from None


def _finish(file: BinaryIO, target: Path, name: str) -> None:
    file.flush()
    os.fsync(file.fileno())
    Path(name).replace(target)
