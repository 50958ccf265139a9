"""A clock for limits of time: what counts is how often it is read."""

from __future__ import annotations


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
