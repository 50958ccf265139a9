"""File locks between processes, which the kernel releases when their holder dies, so that none can be stale."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded.errors import EmbeddedError

_POLL_S = 0.05  # short against the second that a server takes to start, long against the cost of a system call


class FileLock:
    """An advisory lock (flock) on a file; two instances exclude each other even within one process.

    A lock ends with the last process that inherited its descriptor: descriptors are not inherited across exec.
    """

    def __init__(self, path: Path) -> None:
        """`path` is made when it does not exist, and never removed: removing a lock file would let two holders in."""
        self._path = path
        self._descriptor: int | None = None

    def try_acquire(self, *, shared: bool = False) -> bool:
        """Take the lock if no conflicting one is held; a lock already held is converted."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        return True

    def acquire(self, *, shared: bool = False, timeout_s: float) -> None:
        """Wait for the lock; raises EmbeddedError after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not self.try_acquire(shared=shared):
            if time.monotonic() > deadline:
                raise EmbeddedError(f"another process has held {self._path} for more than {timeout_s:.0f} s")
            time.sleep(_POLL_S)

    def release(self) -> None:
        """Give the lock up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock exclusively or shared."""
    probe = FileLock(path)
    free = probe.try_acquire()
    probe.release()
    return not free


@contextmanager
def locked(path: Path, *, shared: bool = False, timeout_s: float) -> Iterator[None]:
    """Hold a lock for the length of a block; raises EmbeddedError when it cannot be had in time."""
    lock = FileLock(path)
    lock.acquire(shared=shared, timeout_s=timeout_s)
    try:
        yield
    finally:
        lock.release()
