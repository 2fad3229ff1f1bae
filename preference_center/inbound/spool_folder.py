"""The files of SPOOL_DIR. Each spool is locked for as long as its process lives.

    ID.spool     the spool of process ID; SQLite keeps `-wal` and `-shm` beside it
    ID.lock      locked by the process that uses it. A lock ends with its process, even by SIGKILL
    ID.new       a spool that was not created completely; nothing was ever written to it
    ID.damaged   a spool that could not be read, kept for an operator
    folder.lock  locked while files are created, taken over or deleted

The folder must be on a local disk: neither locks nor SQLite work reliably on network file systems.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from uuid import UUID

from preference_center.inbound.spool import MAX_ROWS, Spool, SpoolState
from preference_center.inbound.spool_file import DamagedSpoolError, SpoolError, create_file

log = logging.getLogger(__name__)

_SPOOL, _LOCK, _NEW, _DAMAGED = ".spool", ".lock", ".new", ".damaged"
_COMPANIONS = ("", "-journal", "-wal", "-shm")


@dataclass(frozen=True)
class LockedSpool:
    """A spool that this process has locked. `process_id` is the process that created it."""

    folder: Path
    process_id: UUID
    spool: Spool
    lock: FileIO

    def delete(self) -> None:
        """Delete the files of a spool that is empty and closed."""
        with _locked_folder(self.folder):
            _delete(_path(self.folder, self.process_id, _SPOOL))
            _path(self.folder, self.process_id, _LOCK).unlink()

    def release(self) -> None:
        """Close the spool and give up the lock, so that another process can take it over."""
        self.spool.close()
        self.lock.close()


@dataclass(frozen=True)
class SpoolFile:
    """A spool in the folder. `state` is None if it cannot be read; `why` is the reason then."""

    process_id: UUID
    is_locked: bool
    state: SpoolState | None
    why: str = ""


def require_writable(folder: Path) -> None:
    """Raise OSError unless files can be created in the folder."""
    with _locked_folder(folder):
        probe = folder / f"{os.getpid()}{_NEW}"
        probe.touch()
        probe.unlink()


def create(folder: Path, process_id: UUID, max_rows: int = MAX_ROWS) -> LockedSpool:
    """Create and lock the spool of a new process. Raise OSError or SpoolError if it cannot be."""
    new, path = _path(folder, process_id, _NEW), _path(folder, process_id, _SPOOL)
    with _locked_folder(folder):
        lock = _lock(_path(folder, process_id, _LOCK))
        create_file(new)
        new.rename(path)
        _sync(folder)
        return LockedSpool(folder, process_id, Spool(path, max_rows), lock)


def process_ids(folder: Path) -> list[UUID]:
    """Return the ids of the processes that have files in the folder."""
    found = {path.stem for path in folder.iterdir() if path.suffix in {_SPOOL, _LOCK}}
    ids = set()
    for stem in found:
        with suppress(ValueError):
            ids.add(UUID(stem))
    return sorted(ids)


def take(folder: Path, process_id: UUID) -> LockedSpool | None:
    """Lock the spool of a process that has ended; return None if it runs or has none.

    A damaged file is renamed, and None is returned. Raises SpoolError if it cannot be opened now.
    """
    path = _path(folder, process_id, _SPOOL)
    with _locked_folder(folder):
        try:
            lock = _lock(_path(folder, process_id, _LOCK))
        except BlockingIOError:
            return None
        try:
            if path.exists():
                return LockedSpool(folder, process_id, Spool(path), lock)
            _delete(_path(folder, process_id, _NEW))
            _path(folder, process_id, _LOCK).unlink()
        except DamagedSpoolError as error:
            _set_aside(path, str(error))
        except BaseException:
            lock.close()
            raise
        lock.close()
        return None


def list_files(folder: Path) -> list[SpoolFile]:
    """Return all spools and their states.

    Do not call it in a process that has a spool: closing another handle of the same file would end
    the locks that SQLite holds on it (POSIX locks belong to the process).
    """
    return [
        _describe(folder, each)
        for each in process_ids(folder)
        if _path(folder, each, _SPOOL).exists()
    ]


def list_damaged(folder: Path) -> list[Path]:
    """Return the files that were set aside because they could not be read."""
    return sorted(folder.glob(f"*{_DAMAGED}"))


def _describe(folder: Path, process_id: UUID) -> SpoolFile:
    is_locked = _is_locked(folder, process_id)
    try:
        spool = Spool(_path(folder, process_id, _SPOOL))
        try:
            return SpoolFile(process_id, is_locked, spool.state())
        finally:
            spool.close()
    except SpoolError as error:
        return SpoolFile(process_id, is_locked, None, str(error))


def _is_locked(folder: Path, process_id: UUID) -> bool:
    with _locked_folder(folder):
        try:
            _lock(_path(folder, process_id, _LOCK)).close()
        except BlockingIOError:
            return True
        return False


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder. It is held for milliseconds, so this waits for it."""
    with (folder / "folder.lock").open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock(path: Path) -> FileIO:
    """Lock a file, which is created if it does not exist. Raise BlockingIOError if it is locked."""
    file = path.open("ab", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        file.close()
        raise
    return file


def _path(folder: Path, process_id: UUID, suffix: str) -> Path:
    return folder / f"{process_id}{suffix}"


def _delete(path: Path) -> None:
    for companion in _COMPANIONS:
        path.with_name(path.name + companion).unlink(missing_ok=True)


def _set_aside(path: Path, why: str) -> None:
    """Rename a damaged file and those beside it, which a recovery needs too."""
    aside, number = path.with_suffix(_DAMAGED), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.stem}.{number}{_DAMAGED}")
    for companion in reversed(_COMPANIONS):
        source = path.with_name(path.name + companion)
        if source.exists():
            source.rename(aside.with_name(aside.name + companion))
    log.error("%s was renamed to %s: %s", path.name, aside.name, why)


def _sync(folder: Path) -> None:
    """Make a new name in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
