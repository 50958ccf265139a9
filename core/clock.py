"""Wall-clock time, checked against the monotonic clock: coverage must not follow a wall clock that jumps.

Coverage, cursors and `seen_at` are times of day, and a host's time of day may be set at any moment, by hours or days,
and set back again. CLOCK_BOOTTIME only ever runs, also while the host sleeps. So the time of day is what it was at the
start plus what has passed since, and a step of the host's clock is believed only after it has lasted for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

TOLERANCE_S = 5.0
"""Time services slew what is less, and a busy host may be late by a second or two at reading both clocks."""
BELIEVED_AFTER_S = 600.0
"""A step that lasts so long was meant: somebody has set a clock that was wrong. Mistakes are set back sooner."""
_NS = 1_000_000_000


boot_ns = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
"""Nanoseconds since the host was started (Linux: clock_gettime(2)). Read for every copy, so without a frame of ours."""


class Clock:
    """The time of day of one process. `check` is called about every second; between calls a step changes nothing."""

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns, steady_ns: Callable[[], int] = boot_ns) -> None:
        """Begin with the host's time of day, or that of other clocks, in nanoseconds."""
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self._offset_ns = wall_ns() - steady_ns()
        self._stepped_at_ns: int | None = None
        self._step_s = 0.0

    @property
    def stepped(self) -> bool:
        """Whether the host's clock differs now, so that it is not known which of the two is right."""
        return self._stepped_at_ns is not None

    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        return self._steady_ns() + self._offset_ns

    def now_s(self) -> float:
        """Seconds since 1970."""
        return self.now_ns() / _NS

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return (self._steady_ns() + self._offset_ns) // 1_000_000

    def check(self) -> float | None:
        """Compare with the host's clock.

        Returns:
            The difference in seconds where a step has just begun, has changed or is believed from now on; else None.
        """
        steady_ns = self._steady_ns()
        offset_ns = self._wall_ns() - steady_ns
        difference_s = (offset_ns - self._offset_ns) / _NS
        if abs(difference_s) <= TOLERANCE_S:
            self._offset_ns = offset_ns
            self._stepped_at_ns = None
            return None
        if self._stepped_at_ns is None or abs(difference_s - self._step_s) > TOLERANCE_S:
            self._stepped_at_ns, self._step_s = steady_ns, difference_s
            return difference_s
        if steady_ns - self._stepped_at_ns < BELIEVED_AFTER_S * _NS:
            return None
        self._offset_ns, self._stepped_at_ns = offset_ns, None
        return difference_s


CLOCK = Clock()
"""The clock of this process: there is one host clock, and one service looks after it."""
