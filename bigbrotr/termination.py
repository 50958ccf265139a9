"""SIGTERM ends a command as Ctrl-C does: by an exception, so that what it holds or has half written is cleared."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from types import FrameType

_AGAIN_S = 3.0
"""PostgreSQL ends a statement in milliseconds, if it hears of it: a request to cancel that comes before the statement
is begun is lost, and its end is then waited for. A person presses Ctrl-C again."""
EXIT_CODE = 128 + signal.SIGTERM
"""As shells have it for a process that SIGTERM ended."""


class Termination:
    """Whether SIGTERM came.

    Services, and commands that run some, put handlers of their own in place of this one.
    """

    def __init__(self) -> None:
        self.came = False

    def install(self) -> None:
        """Take the signal for this process. Processes that it starts have the default again."""
        signal.signal(signal.SIGTERM, self._handle)

    def exit_code(self, code: int, interrupted: int) -> int:
        """The exit code of a command that returned `code`, given the one for an interruption.

        Processes that share its work are ended: Ctrl-C reaches them by itself, and Python would wait for what they do.
        """
        if not self.came or code != interrupted:
            return code
        for worker in multiprocessing.active_children():
            worker.terminate()
        return EXIT_CODE

    def _handle(self, _number: int, frame: FrameType | None) -> None:
        if not self.came:
            threading.Thread(target=_repeat, name="sigterm", daemon=True).start()
        self.came = True
        # What Ctrl-C does at this moment: an event loop cancels its main task for it.
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt):
            interrupt(signal.SIGINT, frame)
        else:  # ignored, as for what a script starts in the background
            raise KeyboardInterrupt


def _repeat() -> None:
    while True:
        time.sleep(_AGAIN_S)
        os.kill(os.getpid(), signal.SIGTERM)
