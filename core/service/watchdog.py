"""Watchdog thread: ends a process whose deadline has passed, and logs the stacks when the event loop hangs.

It does not depend on the event loop, on locks of the logging module or on room in a pipe: whatever is stuck, a deadline
that was armed ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import threading
import time
from pathlib import Path

from core import metrics

logger = logging.getLogger(__name__)

# A loop that has not turned for this long has broken its heartbeats to Kafka (10 s) or is about to.
STALL_S = 10.0
# How often the thread looks whether the loop still turns; far below STALL_S, and nothing to a CPU.
_LOOK_S = 1.0
# Writing the stacks can itself hang (standard error is a full pipe); then the kernel's alarm ends us.
_LAST_WORDS_S = 2
_STDERR = 2


class Watchdog:
    """Ends the process when an armed deadline passes; logs all stacks, once a stall, when the event loop is blocked."""

    def __init__(self, stall_s: float = STALL_S) -> None:
        self.stall_s = stall_s
        self._changed = threading.Condition()
        self._deadline: tuple[float, str, int] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beat_at: float | None = None
        self._stall_told = False
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def beat(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Record that the event loop runs; the first call begins the watch for stalls."""
        self._loop = loop or self._loop
        self._beat_at = time.monotonic()
        self._stall_told = False

    def rest(self) -> None:
        """End the watch for stalls: the loop is about to end."""
        self._beat_at = None

    def age_s(self) -> float | None:
        """Seconds since the last beat; None before the first and after the last."""
        beat_at = self._beat_at
        return None if beat_at is None else time.monotonic() - beat_at

    def arm(self, seconds: float, what: str, code: int) -> None:
        """End the process with `code` unless armed anew within `seconds`; `what` is what it waits for."""
        with self._changed:
            self._deadline = (time.monotonic() + seconds, f"{what} did not end within {seconds:g} s", code)
            self._changed.notify()

    def close(self) -> None:
        """End the thread; for tests, since a process takes its watchdog to its end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                due = self._deadline
                left = _LOOK_S if due is None else min(_LOOK_S, due[0] - time.monotonic())
                if left > 0:
                    self._changed.wait(left)
                    due = None
            if due is not None:
                end_process(due[2], due[1], self._loop)
            self._look_for_stall()

    def _look_for_stall(self) -> None:
        age_s = self.age_s()
        if age_s is not None and age_s >= self.stall_s and not self._stall_told:
            self._stall_told = True
            metrics.STALLS.inc()
            faulthandler.dump_traceback(_STDERR, all_threads=True)
            logger.error("the event loop has been blocked for %.0f s; the stacks of all threads are above", age_s)


def end_process(code: int, why: str, loop: asyncio.AbstractEventLoop | None = None) -> None:
    """End this process now with `code`, after writing why and all stacks to standard error; never returns."""
    signal.alarm(_LAST_WORDS_S)
    lines = [f"{why}; ending with exit code {code}"]
    if loop is not None:
        # Tasks change meanwhile, since the loop may still run in its own thread: better some of them than none.
        with contextlib.suppress(Exception):
            lines += [f"task {task.get_name()}: {awaits(task)}" for task in asyncio.all_tasks(loop)]
    os.write(_STDERR, "\n".join([*lines, ""]).encode(errors="replace"))
    faulthandler.dump_traceback(_STDERR, all_threads=True)
    os._exit(code)


def awaits(task: asyncio.Task[object]) -> str:
    """Describe where a task waits, outermost first: `run (lifecycle.py:90) > drain (service.py:12)`.

    `Task.print_stack` shows only the outermost coroutine, which is where nearly nothing hangs.
    """
    places = []
    waits_for: object = task.get_coro()
    while (frame := getattr(waits_for, "cr_frame", None) or getattr(waits_for, "gi_frame", None)) is not None:
        code = frame.f_code
        places.append(f"{code.co_name} ({Path(code.co_filename).name}:{frame.f_lineno})")
        waits_for = getattr(waits_for, "cr_await", None) or getattr(waits_for, "gi_yieldfrom", None)
    return " > ".join(places) or "done"
