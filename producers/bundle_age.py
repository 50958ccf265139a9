"""How old an open bundle may become: older, and so fuller, where bundles are many."""

from __future__ import annotations

BUSY_BUNDLES_PER_S = 500
"""Above this, waiting longer for fuller bundles is worth more than a few milliseconds of delay."""
LONGEST_AGE_MS = 500
"""Even then a person who follows the archive should not notice the wait."""
_ADJUST_EVERY_S = 1.0
_MOST_CHANGE = 2.0
"""The age changes by this factor a second at most, so that one burst does not swing it."""


class BundleAge:
    """Follows the rate of bundles that closed half empty; full ones would not be fewer."""

    def __init__(self, shortest_ms: int, now_s: float) -> None:
        """Begin with the shortest age. Every `now_s` is of one monotonic clock."""
        self.age_s = self._shortest_s = shortest_ms / 1000
        self._longest_s = max(LONGEST_AGE_MS, shortest_ms) / 1000
        self._closed = 0
        self._adjusted_s = now_s

    def closed(self, bundles: int, now_s: float) -> None:
        """Count bundles that closed because of their age, and adjust it once a second."""
        self._closed += bundles
        elapsed_s = now_s - self._adjusted_s
        if elapsed_s < _ADJUST_EVERY_S:
            return
        wanted = self._closed / elapsed_s / BUSY_BUNDLES_PER_S
        factor = min(_MOST_CHANGE, max(1 / _MOST_CHANGE, wanted))
        self.age_s = min(self._longest_s, max(self._shortest_s, self.age_s * factor))
        self._closed = 0
        self._adjusted_s = now_s
