"""Clocks of tests: one that is set, and one that goes on as it is read."""

from __future__ import annotations


class Clock:
    """A clock that stands still until it is set.

    Attributes:
        now_s: the time, in seconds.
    """

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now_s


class Ticks:
    """A clock that goes on by `step_s` each time that it is read.

    Attributes:
        number: how often it was read.
    """

    def __init__(self, step_s: float = 1.0) -> None:
        self.number = 0
        self._step_s = step_s

    def __call__(self) -> float:
        """The time, in seconds."""
        self.number += 1
        return self.number * self._step_s
