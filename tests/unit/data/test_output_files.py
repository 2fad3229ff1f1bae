"""Output files appear complete or not at all, and only regular files are replaced."""

import os
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from preference_center.data.output_files import text_file, whole_file, whole_folder

ROOT = os.geteuid() == 0


def _write(target: Path, content: bytes = b"new") -> None:
    with whole_file(target) as file:
        file.write(content)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _device(folder: Path) -> Path:
    """Return a null device: our own if we may create one, which protects the real one."""
    device = folder / "null"
    with suppress(PermissionError):
        os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        os.close(os.open(device, os.O_WRONLY))  # fails on a file system without devices
        return device
    device.unlink(missing_ok=True)
    device.symlink_to("/dev/null")
    return device


def test_a_file_is_replaced_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "people.csv"
    target.write_text("old")

    def write_half() -> None:
        with whole_file(target) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_content_written_before_a_failure_can_be_kept(tmp_path: Path) -> None:
    target = tmp_path / "refused.csv"

    def write_half() -> None:
        with whole_file(target, even_if_cut_short=True) as file:
            file.write(b"half")
            assert not target.exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_text() == "half"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "out"

    def write(*, fail: bool) -> None:
        with whole_folder(target) as folder:
            (folder / "people.csv").write_text("new")
            assert not target.exists()
            if fail:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        write(fail=True)
    assert list(tmp_path.iterdir()) == []
    write(fail=False)
    assert (target / "people.csv").read_text() == "new"
    assert (list(tmp_path.iterdir()), _mode(target)) == ([target], 0o700)


def test_a_folder_replaces_only_an_empty_one(tmp_path: Path) -> None:
    empty, full, file = (tmp_path / name for name in ("empty", "full", "file"))
    empty.mkdir()
    full.mkdir()
    (full / "old").touch()
    file.touch()
    with whole_folder(empty) as folder:
        (folder / "new").touch()
    assert [path.name for path in empty.iterdir()] == ["new"]
    for target in (full, file):
        with pytest.raises(FileExistsError, match="not an empty folder"), whole_folder(target):
            pass
    assert [path.name for path in full.iterdir()] == ["old"]
    assert len(list(tmp_path.iterdir())) == 3


def test_text_is_utf_8_and_keeps_its_line_endings(tmp_path: Path) -> None:
    target = tmp_path / "people.csv"
    with text_file(target) as file:
        file.write("é\r\n\n")
    assert target.read_bytes() == "é\r\n\n".encode()


def test_a_new_file_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    target = tmp_path / "people.csv"
    _write(target)
    assert (target.read_text(), _mode(target)) == ("new", 0o600)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o777])
def test_a_replaced_file_keeps_its_owner_and_mode(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "people.csv"
    target.write_text("old")
    if ROOT:
        os.chown(target, 1234, 2345)
    target.chmod(mode)
    before = target.stat()
    _write(target)
    after = target.stat()
    assert target.read_text() == "new"
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )
    assert after.st_ino != before.st_ino


def test_a_file_is_not_replaced_if_its_owner_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "people.csv"
    target.write_text("old")
    monkeypatch.setattr(os, "fchmod", _not_permitted)
    with pytest.raises(PermissionError, match="its owner cannot be preserved"):
        _write(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def _not_permitted(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("steps", [1, 2])
def test_the_target_of_a_symbolic_link_is_replaced_not_the_link(
    tmp_path: Path, old: str | None, steps: int
) -> None:
    (tmp_path / "elsewhere").mkdir()
    end, link = tmp_path / "elsewhere" / "people.csv", tmp_path / "first.csv"
    link.symlink_to("elsewhere/people.csv")
    if steps > 1:
        link, first = tmp_path / "second.csv", link
        link.symlink_to(first)
    if old is not None:
        end.write_text(old)
        end.chmod(0o640)
    _write(link)
    assert link.is_symlink()
    assert (end.read_text(), _mode(end)) == ("new", 0o640 if old else 0o600)
    assert list((tmp_path / "elsewhere").iterdir()) == [end]


def test_a_link_into_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    link = tmp_path / "people.csv"
    link.symlink_to("no/people.csv")
    with pytest.raises(FileNotFoundError):
        _write(link)
    assert link.is_symlink()


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    link = tmp_path / "people.csv"
    link.symlink_to("people.csv")
    with pytest.raises(OSError, match="symbolic links"):
        _write(link)
    assert link.is_symlink()


@pytest.mark.parametrize("linked", [False, True])
def test_a_device_is_written_to(tmp_path: Path, linked: bool) -> None:
    device = _device(tmp_path)
    target = device
    if linked:
        target = tmp_path / "link"
        target.symlink_to(device)
    before = device.stat()
    _write(target)
    after = device.stat()
    assert stat.S_ISCHR(after.st_mode)
    assert (after.st_ino, after.st_mode, after.st_rdev) == (
        before.st_ino,
        before.st_mode,
        before.st_rdev,
    )


@pytest.mark.parametrize("linked", [False, True])
def test_a_fifo_is_written_to(tmp_path: Path, linked: bool) -> None:
    fifo, target = tmp_path / "fifo", tmp_path / "fifo"
    os.mkfifo(fifo)
    if linked:
        target = tmp_path / "link"
        target.symlink_to(fifo)
    copy = tmp_path / "copy"
    with copy.open("wb") as out, subprocess.Popen(["cat", os.fspath(fifo)], stdout=out) as reader:
        try:
            _write(target, b"x" * 200_000)
            assert reader.wait(timeout=30) == 0
        finally:
            reader.kill()
    assert copy.read_bytes() == b"x" * 200_000
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("piped", [False, True])
def test_standard_output_can_be_written_to_by_its_path(
    tmp_path: Path, target: str, piped: bool
) -> None:
    program = (
        "import sys; from pathlib import Path; from preference_center.data.output_files import *\n"
        "with whole_file(Path(sys.argv[1])) as file:\n"
        "    file.write(b'new')\n"
    )
    out = tmp_path / "out"
    with out.open("wb") as redirected:
        before = os.fstat(redirected.fileno()).st_ino
        done = subprocess.run(
            [sys.executable, "-c", program, target],
            check=True,
            stdout=subprocess.PIPE if piped else redirected,
        )
    assert (done.stdout if piped else out.read_bytes()) == b"new"
    assert out.stat().st_ino == before


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        _write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "people.csv"
    target.write_text("old")
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from preference_center.data.output_files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, os.fspath(target)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
