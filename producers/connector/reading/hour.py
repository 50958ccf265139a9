"""The hour in which something of a relay is counted."""

from __future__ import annotations

import math

from producers.relay_client.refusals import HOUR_S


class Hour:
    """It begins with the first input after the one before is over. Times are of a monotonic clock."""

    __slots__ = ("_ends_s",)

    def __init__(self) -> None:
        """None has begun."""
        self._ends_s = -math.inf

    def begins(self, now_s: float) -> bool:
        """Take note of an input; whether an hour begins with it, so that what was counted counts no more."""
        if now_s < self._ends_s:
            return False
        self._ends_s = now_s + HOUR_S
        return True

    def left_s(self, now_s: float) -> float:
        """For how long it goes on."""
        return max(0.0, self._ends_s - now_s)
