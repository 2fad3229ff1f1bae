"""A small disk of its own, which a test can fill.

with small_disk.mounted(folder, megabytes=4) as disk:
    disk.fill()
    ...
    disk.free()
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class SmallDisk:
    """A folder on a disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Write a file until there is no more space."""
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            for size in (65536, 4096):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        self._ballast.unlink()


@contextmanager
def mounted(folder: Path, megabytes: int, owner: str = "root") -> Iterator[SmallDisk]:
    """Yield a disk at `folder`, which is created. Skip the test where nothing can be mounted."""
    folder.mkdir()
    options = f"size={megabytes}m,mode=700,uid={owner}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
