"""The parts of a batch that are written at a time: all of it, or less once that has taken too long."""

from __future__ import annotations

import sys

from sinks.portion import Portion
from sinks.writing.batch import Batch


class Portions:
    """Cuts batches, one after another, into parts that the database takes in time. How large they may be is kept."""

    def __init__(self) -> None:
        self._portion = Portion(sys.maxsize)
        self._parts: list[Batch] = []

    def take(self, batch: Batch) -> None:
        """Begin with a batch; what was left of the one before is dropped."""
        self._parts = [batch] if batch.advances else []

    def part(self) -> Batch | None:
        """What is to be written next, in order; None: all is."""
        if self._parts and len(self._parts[-1].entries) > self._portion.size:
            self._parts += reversed(self._parts.pop().split(self._portion.size))
        return self._parts[-1] if self._parts else None

    def written(self) -> None:
        """The part was committed."""
        self._portion.grow(len(self._parts.pop().entries))

    def timed_out(self) -> int:
        """The part took too long. Gives how many entries are tried next."""
        self._portion.halve(len(self._parts[-1].entries))
        return self._portion.size
