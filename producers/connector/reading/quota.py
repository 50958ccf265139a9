"""An operator's bound on what is taken of one relay, valid or not; what the relay has beyond it stays a gap."""

from __future__ import annotations

import time
from collections.abc import Callable

from producers.connector.reading.hour import Hour
from producers.relay_client.refusals import RelayError


class Quota:
    """Copies of one relay in an hour, over all of its connections (`Backpressure`). The hour begins with its first."""

    def __init__(self, copies_per_hour: int | None, now_s: Callable[[], float] = time.monotonic) -> None:
        """Allow so many; None: any number."""
        self._most = copies_per_hour
        self._now_s = now_s
        self._hour = Hour()
        self._taken = 0

    def taken(self) -> None:
        """Count a copy."""
        if self._most is not None:
            if self._hour.begins(self._now_s()):
                self._taken = 0
            self._taken += 1

    def over(self) -> RelayError | None:
        """Why nothing more is taken now, or None."""
        if self._most is None or self._taken < self._most:
            return None
        pause_s = self._hour.left_s(self._now_s())
        words = f"sent {self._most} events in an hour, which is connector.events_per_hour"
        return RelayError("over_quota", words, pause_s) if pause_s > 0 else None

    @property
    def full(self) -> bool:
        """Whether nothing more is to be read."""
        return self.over() is not None

    async def room(self) -> None:
        """End the reading.

        Raises:
            RelayError: the quota is used up.
        """
        if (over := self.over()) is not None:
            raise over
