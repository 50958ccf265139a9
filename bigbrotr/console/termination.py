"""SIGTERM ends a command at once, whatever it is in the middle of; what must not stay behind is removed first.

Nothing is unwound as for Ctrl-C. Every command may be killed at any moment, and asyncpg does not end well when it is
cancelled at any moment: it was seen to wait without end for a statement whose cancelling was lost, and to crash.
Services, and commands that run some, put handlers of their own in place of this one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_CODE = 128 + signal.SIGTERM
"""As shells have it for a process that SIGTERM ended."""

_removals: list[Callable[[], object]] = []


def install() -> None:
    """Take the signal for this process. Processes that it starts have the default again."""
    signal.signal(signal.SIGTERM, _end)


@contextmanager
def removed_at_termination(remove: Callable[[], object]) -> Iterator[None]:
    """Have `remove` called if SIGTERM comes during a block."""
    _removals.append(remove)
    try:
        yield
    finally:
        _removals.remove(remove)


def _end(_number: int, _frame: object) -> None:
    try:
        for remove in _removals:
            remove()
        # Those that share the work would go on with it.
        for worker in multiprocessing.active_children():
            worker.terminate()
    finally:
        os._exit(EXIT_CODE)
