"""Limits refused input per relay: bytes and events in an hour, beyond which its input is no longer read."""

from __future__ import annotations

HOUR_S = 3600.0


class Budget:
    """Counts refused input in windows of an hour that begin with the first refusal."""

    def __init__(self, bytes_per_hour: int, events_per_hour: int) -> None:
        """An empty budget with these bounds."""
        self._bytes_per_hour = bytes_per_hour
        self._events_per_hour = events_per_hour
        self._began_s = 0.0
        self._bytes = 0
        self._events = 0

    def charge(self, size_bytes: int, now_s: float) -> bool:
        """Count a refused input; whether it, and those before it in this hour, are within the budget.

        Args:
            size_bytes: of the input.
            now_s: a monotonic clock.
        """
        if now_s - self._began_s >= HOUR_S or not self._events:
            self._began_s, self._bytes, self._events = now_s, 0, 0
        self._bytes += size_bytes
        self._events += 1
        return not self._is_over()

    def pause_s(self, now_s: float) -> float:
        """For how long nothing may be taken; 0 while the budget lasts."""
        return max(0.0, self._began_s + HOUR_S - now_s) if self._is_over() else 0.0

    def _is_over(self) -> bool:
        return self._bytes > self._bytes_per_hour or self._events > self._events_per_hour
