"""Standard input that a thread can read without keeping the process from ending while no input comes."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from typing_extensions import Buffer


class _Interruptible(io.RawIOBase):
    """Reads a descriptor; `interrupt` makes a read that waits, and every later one, see the end of the input."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._woken, self._wake = os.pipe()

    def interrupt(self) -> None:
        os.write(self._wake, b"x")

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def readinto(self, buffer: Buffer) -> int:
        ready, _, _ = select.select([self._descriptor, self._woken], [], [])
        if self._woken in ready:
            return 0
        return os.readv(self._descriptor, [buffer])

    def close(self) -> None:
        if not self.closed:
            os.close(self._woken)
            os.close(self._wake)
        super().close()


@contextmanager
def interruptible_stdin() -> Iterator[None]:
    """Let `sys.stdin` end when the block does, whatever reads it then: a read in a thread cannot be cancelled."""
    before = sys.stdin
    source = _Interruptible(before.fileno())
    text = sys.stdin = io.TextIOWrapper(io.BufferedReader(source))
    try:
        yield
    finally:
        source.interrupt()
        sys.stdin = before
        text.detach()  # or its end would close what a thread may still hold
