"""A file system that is full when a test wants it: a tmpfs of a few hundred megabytes with a ballast in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CHUNK_BYTES = 1 << 20


class SmallDisk:
    """A mounted file system. Everybody may enter it, as the database's user must."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave no byte."""
        with self._ballast.open("wb", buffering=0) as file:
            for size in (_CHUNK_BYTES, 4096):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink()


@contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk]:
    """Mount one for the length of the block; the test is skipped where that is not allowed."""
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("a file system that can be filled takes root to mount")
    folder = Path(tempfile.mkdtemp(prefix="bigbrotr-disk-"))
    options = f"size={megabytes}m,mode=0755"
    command = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        folder.rmdir()
        pytest.skip(f"a file system that can be filled cannot be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: a server that could not be ended must not keep the mount either.
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()
