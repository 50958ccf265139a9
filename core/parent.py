"""Ends this process when its parent ends, even when that is killed (SIGKILL).

Three ways, by what a child can notice:

- A service asks from time to time who its parent is (`watch_parent`): its supervisor puts its process id into
  `BIGBROTR_PARENT_PID`, and `core.service.lifecycle` stops the service, with its drain, when that parent is gone.
- A child that takes commands has them on its standard input, and EOF on it asks it to end (`ParentPipe`). EOF of
  the pipe alone is not enough: another process may have inherited the parent's end of it.
- A worker of `multiprocessing` has another parent where a server forked it, and is told by `multiprocessing` itself
  (`die_with_parent`).

Linux can also send a signal (prctl's PR_SET_PDEATHSIG). That is for programs that are not ours
(`deploy.embedded.servers.process`): asking works on every Unix, and is not set off when only the thread ends that
started us.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing import parent_process

PARENT_VARIABLE = "BIGBROTR_PARENT_PID"

_POLL_S = 0.5
"""Two system calls a second cost nothing, and half a second is soon enough."""
_GRACE_S = 5.0
"""For a last report; a child that has no state to save does not need longer."""


def parent_pid(environ: Mapping[str, str]) -> int | None:
    """Read the process id of our supervisor, or None where there is none (or the variable is not a number)."""
    text = environ.get(PARENT_VARIABLE, "")
    return int(text) if text.isascii() and text.isdigit() else None


def watch_parent(pid: int, on_gone: Callable[[], None]) -> threading.Thread:
    """Call `on_gone` once, from a daemon thread, when process `pid` is not our parent (any more).

    Asking who our parent is cannot be fooled by a reused process id, and needs no permission.
    """
    done = threading.Event()

    def poll() -> None:
        while os.getppid() == pid:
            done.wait(_POLL_S)
        on_gone()

    thread = threading.Thread(target=poll, name="parent-watch", daemon=True)
    thread.start()
    return thread


def die_with_parent() -> None:
    """Make this process, a child made by `multiprocessing`, end when the process that asked for it is gone.

    Workers would not notice: pool workers wait on a pipe whose other end they hold themselves, and the server that
    forks some of them lives on as long as they do.
    """
    asked = parent_process()

    def watch() -> None:
        if asked is not None:
            asked.join()
            os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


class ParentPipe:
    """Commands of the parent on standard input, as events for an event loop.

    A process that is still there some seconds after `closed` is ended.

    Attributes:
        line: set when the parent wrote a line or went away.
        closed: set when it closed the pipe or went away.
    """

    def __init__(self) -> None:
        self.line = asyncio.Event()
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # Threads, because an event loop can wait for pipes and terminals but not for files and /dev/null.
        threading.Thread(target=self._read, name="parent-pipe", daemon=True).start()
        watch_parent(os.getppid(), self._end)

    def _read(self) -> None:
        for _ in sys.stdin.buffer:
            self._loop.call_soon_threadsafe(self.line.set)
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self.line.set)
        self._loop.call_soon_threadsafe(self.closed.set)
        time.sleep(_GRACE_S)
        os._exit(0)
