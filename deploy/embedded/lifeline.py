"""The bond between a child process and its starter: standard input carries its wishes, and the child dies with it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

ORPHAN_CHECK_S = 1.0  # how long a child may outlive a starter whose end of the pipe is still held by somebody else
GRACE_S = 5.0  # to say a last word; a child that has nothing worth saving does not need longer


class Lifeline:
    """Events for an event loop: `line` when the starter wrote a line or went away, `closed` when it went away.

    A process that is still there `GRACE_S` seconds after `closed` is ended.
    """

    def __init__(self) -> None:
        self.line = asyncio.Event()
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # Threads, because an event loop can wait for pipes and terminals but not for files and /dev/null.
        for watch in (self._read, self._wait_for_orphanhood):
            threading.Thread(target=watch, daemon=True).start()

    def _read(self) -> None:
        for _ in sys.stdin.buffer:
            self._loop.call_soon_threadsafe(self.line.set)
        self._end()

    def _wait_for_orphanhood(self) -> None:
        parent = os.getppid()
        while os.getppid() == parent:
            time.sleep(ORPHAN_CHECK_S)
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self.line.set)
        self._loop.call_soon_threadsafe(self.closed.set)
        time.sleep(GRACE_S)
        os._exit(0)
