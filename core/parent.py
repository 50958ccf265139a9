"""End with the process that started us, even when that is killed and can tell nobody.

A supervisor puts its process id into `BIGBROTR_PARENT_PID`; `core.lifecycle` then stops the service, with its drain,
when that parent is gone. This asks instead of having Linux send a signal (prctl's PR_SET_PDEATHSIG): it works on every
Unix, and is not set off when only the thread ends that started us.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from multiprocessing import parent_process

PARENT_VARIABLE = "BIGBROTR_PARENT_PID"

# Two system calls a second cost nothing, and half a second is soon enough.
_POLL_S = 0.5


def parent_pid(environ: Mapping[str, str]) -> int | None:
    """Read the process id of our supervisor, or None when nobody supervises us (or the variable is not a number)."""
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
