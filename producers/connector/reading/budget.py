"""Limits refused input per relay: bytes and events in an hour, beyond which its input is no longer read."""

from __future__ import annotations

from producers.connector.reading.hour import Hour

FORGED_PER_HOUR = 20
"""Copies that are forged, in an hour. One in 64 is judged, so the processor meets some 1,300 of a relay that hides them
among genuine ones, and about 150 of one that sends nothing else."""


class Budget:
    """Counts refused input in windows of an hour that begin with the first refusal."""

    def __init__(self, bytes_per_hour: int, events_per_hour: int, forged_per_hour: int = FORGED_PER_HOUR) -> None:
        """An empty budget with these bounds."""
        self._bytes_per_hour = bytes_per_hour
        self._events_per_hour = events_per_hour
        self._forged_per_hour = forged_per_hour
        self._hour = Hour()
        self._bytes = 0
        self._events = 0
        self._forged = 0

    def charge(self, size_bytes: int, now_s: float, *, forged: bool = False) -> bool:
        """Count a refused input; whether it, and those before it in this hour, are within the budget.

        Args:
            size_bytes: of the input.
            now_s: a monotonic clock.
            forged: whether it counts among those that are forged: with the last one that is allowed the budget is
                exhausted.
        """
        if self._hour.begins(now_s):
            self._bytes = self._events = self._forged = 0
        self._bytes += size_bytes
        self._events += 1
        self._forged += forged
        return not self._is_over()

    def pause_s(self, now_s: float) -> float:
        """For how long nothing may be taken; 0 while the budget lasts."""
        return self._hour.left_s(now_s) if self._is_over() else 0.0

    def _is_over(self) -> bool:
        return (
            self._bytes > self._bytes_per_hour
            or self._events > self._events_per_hour
            or self._forged >= self._forged_per_hour
        )
