"""The files of SPOOL_DIR: who has which one, and what happens to damaged and unfinished ones."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from preference_center.inbound import spool_folder
from preference_center.inbound.spool_file import SpoolError
from preference_center.inbound.spool_folder import LockedSpool
from tests.support import make


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"folder.lock"}


def ended(folder: Path, rows: int = 1) -> UUID:
    """Leave a spool with rows, as a process that was killed does."""
    left = spool_folder.create(folder, uuid4())
    if rows:
        left.spool.write([make.spooled() for _ in range(rows)])
    left.release()
    return left.process_id


def take(folder: Path, process_id: UUID) -> LockedSpool:
    taken = spool_folder.take(folder, process_id)
    assert taken is not None
    return taken


def test_a_spool_in_use_cannot_be_taken(tmp_path: Path) -> None:
    own = spool_folder.create(tmp_path, uuid4())
    assert spool_folder.process_ids(tmp_path) == [own.process_id]
    assert spool_folder.take(tmp_path, own.process_id) is None
    own.release()
    take(tmp_path, own.process_id).release()


def test_only_one_process_takes_a_spool(tmp_path: Path) -> None:
    left = ended(tmp_path)
    first = take(tmp_path, left)
    assert spool_folder.take(tmp_path, left) is None
    assert first.spool.state().rows == 1
    first.release()


def test_processes_that_start_at_once_keep_a_spool_each(tmp_path: Path) -> None:
    stop, stolen = threading.Event(), []

    def adopt() -> None:
        while not stop.is_set():
            for each in spool_folder.process_ids(tmp_path):
                taken = spool_folder.take(tmp_path, each)
                if taken is not None:
                    stolen.append(each)
                    taken.release()

    with ThreadPoolExecutor(8) as threads:
        adopters = [threads.submit(adopt) for _ in range(3)]
        created = list(threads.map(lambda _: spool_folder.create(tmp_path, uuid4()), range(30)))
        stop.set()
        for each in adopters:
            each.result()
    assert stolen == []
    for own in created:
        own.spool.write([make.spooled()])
        own.release()
    rows = [each.state.rows for each in spool_folder.list_files(tmp_path) if each.state]
    assert rows == [1] * 30


def test_a_spool_that_was_emptied_is_deleted(tmp_path: Path) -> None:
    taken = take(tmp_path, ended(tmp_path))
    taken.spool.replay(lambda _: None)
    assert taken.spool.close_if_empty()
    taken.delete()
    taken.release()
    assert names(tmp_path) == set()
    assert spool_folder.take(tmp_path, taken.process_id) is None
    assert names(tmp_path) == set()


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_a_damaged_spool_is_renamed_and_reported(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    left = ended(tmp_path)
    (tmp_path / f"{left}.spool").write_bytes(content)
    (tmp_path / f"{left}.spool-wal").write_bytes(b"the rest")
    (file,) = spool_folder.list_files(tmp_path)
    assert file.state is None
    assert "spool" in file.why
    assert spool_folder.take(tmp_path, left) is None
    damaged = tmp_path / f"{left}.damaged"
    assert damaged.read_bytes() == content
    assert (tmp_path / f"{left}.damaged-wal").read_bytes() == b"the rest"
    assert f"{left}.spool was renamed to {left}.damaged" in caplog.text
    assert spool_folder.list_damaged(tmp_path) == [damaged]
    assert spool_folder.take(tmp_path, left) is None
    assert spool_folder.process_ids(tmp_path) == []
    assert damaged.read_bytes() == content


def test_a_damaged_spool_replaces_no_other(tmp_path: Path) -> None:
    left = uuid4()
    for content in (b"first", b"second", b"third"):
        (tmp_path / f"{left}.spool").write_bytes(content)
        assert spool_folder.take(tmp_path, left) is None
    kept = {path.name: path.read_bytes() for path in spool_folder.list_damaged(tmp_path)}
    assert kept == {
        f"{left}.damaged": b"first",
        f"{left}.2.damaged": b"second",
        f"{left}.3.damaged": b"third",
    }


def test_files_of_a_start_that_was_killed_are_deleted(tmp_path: Path) -> None:
    killed = uuid4()
    for suffix in ("lock", "new", "new-journal"):
        (tmp_path / f"{killed}.{suffix}").write_bytes(b"half")
    assert spool_folder.process_ids(tmp_path) == [killed]
    assert spool_folder.take(tmp_path, killed) is None
    assert names(tmp_path) == set()


def test_a_spool_without_its_lock_can_be_taken(tmp_path: Path) -> None:
    """An operator may have copied the file from another disk."""
    left = ended(tmp_path)
    (tmp_path / f"{left}.lock").unlink()
    taken = take(tmp_path, left)
    assert taken.spool.state().rows == 1
    taken.release()


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.spool").write_text("mine")
    (tmp_path / "lost+found").mkdir()
    assert spool_folder.process_ids(tmp_path) == []
    assert names(tmp_path) == {"notes.spool", "lost+found"}


def test_the_spools_are_listed_with_their_states(tmp_path: Path) -> None:
    own, left = spool_folder.create(tmp_path, uuid4()), ended(tmp_path, rows=2)
    found = {each.process_id: each for each in spool_folder.list_files(tmp_path)}
    assert (found[own.process_id].is_locked, found[left].is_locked) == (True, False)
    state = found[left].state
    assert state is not None
    assert (state.rows, state.oldest_at) == (2, make.NOW)
    own.spool.write([make.spooled()])
    assert own.spool.state().rows == 1
    own.release()


def test_a_spool_is_free_when_its_process_was_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from uuid import uuid4\n"
        "from preference_center.inbound import spool_folder\n"
        "own = spool_folder.create(Path(sys.argv[1]), uuid4())\n"
        "print(spool_folder.take(own.folder, own.process_id), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=False
    )
    assert done.stdout == b"None\n", done.stderr
    (left,) = spool_folder.process_ids(tmp_path)
    take(tmp_path, left).release()


def test_a_folder_that_can_be_written_is_accepted(tmp_path: Path) -> None:
    spool_folder.require_writable(tmp_path)
    assert names(tmp_path) == set()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system without files")
def test_a_folder_that_cannot_be_written_is_refused() -> None:
    folder = Path("/proc/self") if os.geteuid() == 0 else Path("/")
    with pytest.raises(OSError, match=r"folder\.lock"):
        spool_folder.require_writable(folder)
    with pytest.raises(OSError, match=r"folder\.lock"):
        spool_folder.create(folder, uuid4())


def test_a_spool_that_cannot_be_opened_now_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = ended(tmp_path)

    def fail(*_: object) -> None:
        raise SpoolError("disk I/O error")

    monkeypatch.setattr(spool_folder, "Spool", fail)
    with pytest.raises(SpoolError, match="disk I/O error"):
        spool_folder.take(tmp_path, left)
    monkeypatch.undo()
    take(tmp_path, left).release()
