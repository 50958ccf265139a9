"""What relays send that nothing waits for: what of it is free, and what the rest is charged as."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from producers.relay_client.loop_clock import loop_s

FREE_MESSAGE_BYTES = 4096
"""Of a message that is free, so many bytes are: sentences, ids and challenges are a tenth of it. A longer one is
charged, but for a part of a reconciliation, which is as long as we asked for."""
_EVERY_S = 1.0
"""Relays ping every ten seconds to minute, and notices answer questions, of which there are about three a second."""
_SAVED_S = 1.0
"""What is sent once a second comes a little sooner at times."""


class Unasked(StrEnum):
    """What is charged; the label of a metric."""

    PING = "ping"
    PONG = "pong"
    FRAGMENT = "fragment"
    UNFINISHED = "unfinished"
    EOSE = "eose"
    CLOSED = "closed"
    NOTICE = "notice"
    OK = "ok"
    COUNT = "count"
    AUTH = "auth"
    NEGENTROPY = "negentropy"
    UNKNOWN = "unknown"
    LONG = "long"
    PADDING = "padding"


Charge = Callable[[Unasked, int], None]
"""Charges so many bytes; raises `RelayError` where the relay went beyond what it may cost."""


class OneASecond:
    """What is free once a second on one connection."""

    def __init__(self, clock: Callable[[], float] = loop_s) -> None:
        """Begin; `clock` gives seconds and is replaced in tests."""
        self._clock = clock
        self._next_s = 0.0

    def free(self) -> bool:
        """Count one; whether it is free."""
        now_s = self._clock()
        if now_s + _SAVED_S < self._next_s:
            return False
        self._next_s = max(self._next_s, now_s) + _EVERY_S
        return True
