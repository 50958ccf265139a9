"""Counters that continue when a service restarts and counts from zero (counter resets)."""

from __future__ import annotations

from collections.abc import Mapping


class Totals:
    """Adds up what services counted, over their restarts.

    Give it each reading of a service's counters; a value below the last one means that the service began anew.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], float] = {}
        self._sums: dict[str, float] = {}

    def add(self, source: str, counters: Mapping[str, float]) -> None:
        """Take a reading; `source` names the service, keys name counters, which are summed over all sources."""
        for name, value in counters.items():
            last = self._last.get((source, name), 0.0)
            self._sums[name] = self._sums.get(name, 0.0) + (value - last if value >= last else value)
            self._last[source, name] = value

    def get(self, name: str) -> int:
        """The sum of one counter so far."""
        return int(self._sums.get(name, 0.0))

    def group(self, prefix: str) -> dict[str, int]:
        """The counters that begin with `prefix`, by the rest of their names, those at zero left out."""
        return {
            name.removeprefix(prefix): int(value)
            for name, value in self._sums.items()
            if name.startswith(prefix) and value
        }
