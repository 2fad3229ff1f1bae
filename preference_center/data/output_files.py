"""Write output files that appear under their names only when they are complete."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

_OPEN_ALREADY = ("/dev/fd/", "/dev/std", "/proc/")  # Files that another program may have open.


@contextmanager
def text_file(target: Path) -> Iterator[TextIO]:
    """Yield a `whole_file` for UTF-8 text."""
    with whole_file(target) as file:
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            text.detach()


@contextmanager
def whole_file(target: Path, *, even_if_cut_short: bool = False) -> Iterator[BinaryIO]:
    """Yield a file that gets the name of `target` only when all of it is on disk.

    Only the owner can read a new file, since it contains addresses. A file that replaces another
    gets the other's owner, group and mode. If `target` is a symbolic link, the file it points to is
    replaced. A device or a FIFO is written to directly. With `even_if_cut_short`, the file is also
    kept if the caller raises an exception.

    Raises:
        OSError: the target cannot be written, or its owner cannot be preserved.
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


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that gets the name of `target` only when the block ends without error.

    Only the owner can read it, since its files contain addresses. Its files are to be on disk when
    the block ends.

    Raises:
        OSError: the target exists and is not an empty folder, or it cannot be written.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FileExistsError(errno.EEXIST, "it exists and is not an empty folder", str(target))
    target = Path(os.path.realpath(target))
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
        folder.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stat(target: Path) -> os.stat_result | None:
    try:
        return target.stat()
    except FileNotFoundError:
        return None


def _can_be_replaced(target: Path, found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and not str(target.absolute()).startswith(_OPEN_ALREADY)


def _keep_owner(handle: int, replaced: os.stat_result, target: Path) -> None:
    new = os.fstat(handle)
    try:
        if (new.st_uid, new.st_gid) != (replaced.st_uid, replaced.st_gid):
            os.fchown(handle, replaced.st_uid, replaced.st_gid)
        os.fchmod(handle, stat.S_IMODE(replaced.st_mode))
    except PermissionError as error:
        raise PermissionError(error.errno, "its owner cannot be preserved", str(target)) from None


def _finish(file: BinaryIO, target: Path, name: str) -> None:
    file.flush()
    os.fsync(file.fileno())
    Path(name).replace(target)
