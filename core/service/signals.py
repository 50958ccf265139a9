"""Handles SIGTERM and SIGINT in a thread of its own, so that they work even while the event loop hangs.

Python runs signal handlers in the main thread between bytecodes, and asyncio's run on the loop: neither does while one
call blocks. The C-level handler, however, always writes the number to the wake-up descriptor; a thread reads it there.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

# One request to stop can come twice within milliseconds: a terminal's Ctrl-C reaches the whole process group, and the
# supervisor in it forwards it. A person who presses Ctrl-C again because nothing seems to happen takes longer.
SAME_WISH_S = 0.5


class StopSignals:
    """Calls `first` with the signal's name, then `again` at every later one; both from a thread that is not the loop's.

    Call `install` in the main thread, and `attach` once an event loop runs: a loop takes the wake-up descriptor for
    itself when it starts.
    """

    def __init__(self, first: Callable[[str], None], again: Callable[[str], None]) -> None:
        self._first = first
        self._again = again
        self._first_at: float | None = None
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)  # noqa: FBT003 - the signature is socket's; set_wakeup_fd demands it
        self._thread = threading.Thread(target=self._listen, name="stop-signals", daemon=True)

    def install(self) -> None:
        """Replace the handlers of the process for good, and begin to listen."""
        for number in STOP_SIGNALS:
            signal.signal(number, _noted_by_the_thread)
        self.attach()
        self._thread.start()

    def attach(self) -> None:
        """Take the wake-up descriptor (back from the event loop, which needs it for no other signal)."""
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def _listen(self) -> None:
        while numbers := self._reader.recv(64):
            for number in numbers:
                if number in STOP_SIGNALS:
                    self._note(signal.Signals(number).name)

    def _note(self, name: str) -> None:
        now = time.monotonic()
        if self._first_at is None:
            self._first_at = now
            self._first(name)
        elif now - self._first_at >= SAME_WISH_S:
            self._again(name)


def _noted_by_the_thread(number: int, frame: FrameType | None) -> None:
    """Replace the default action, which would end the process; what is to be done, the thread does."""
