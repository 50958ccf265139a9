"""The wish to stop, as signals tell it: the first asks for an end in order, a second one for an end at once."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.flag import Flag

# Closing the terminal is as good as Ctrl-C: the view is not visible any more, and no key could stop it.
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopWish:
    """Whether a stop was requested, since when (`time.monotonic`), and whether without waiting."""

    def __init__(self) -> None:
        self.asked = Flag()
        self.at_once = Flag()
        self.asked_at_s: float | None = None

    def ask(self) -> None:
        """Ask for an end in order; to ask again changes nothing, as where a key repeats."""
        if not self.asked.is_set():
            self.asked_at_s = time.monotonic()
            self.asked.set()

    def note(self) -> None:
        """Take note of a signal."""
        if self.asked.is_set():
            self.at_once.set()
        self.ask()


@asynccontextmanager
async def stop_on_signals() -> AsyncIterator[StopWish]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into a request to stop, and a second one into one to stop at once."""
    wish = StopWish()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, wish.note)
    try:
        yield wish
    finally:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
