"""Leaves out copies that a relay sends again: it was put into a bundle a moment ago, and says nothing new.

A relay that sends the same events in a loop would fill `raw.bundles`, which is kept for days, at the rate of its line.
"""

from __future__ import annotations

REMEMBERED = 200_000
"""Copies of all relays together, and up to twice as many: some 30 MB. A loop of 20,000 events is noticed where it is a
tenth of what comes; one that is longer, or slower, brings less than the others do."""


class Repeats:
    """What relays sent last, as hashes. These are keyed by the process, so no relay can make two that are equal.

    Of 400,000 hashes of 64 bits one equals that of a new copy once in 10^13 copies. Then a relay's copy is left out,
    as if it had not sent it.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        """Remember so many at least."""
        self._remembered = remembered
        self._young: set[int] = set()
        self._old: set[int] = set()

    def mark(self, relay: str, text: bytes) -> int:
        """Give the mark of a copy, for the other methods."""
        return hash((relay, text))

    def known(self, mark: int) -> bool:
        """Whether this relay has sent this text lately."""
        return mark in self._young or mark in self._old

    def add(self, mark: int) -> None:
        """Remember a copy that was put into a bundle."""
        if len(self._young) >= self._remembered:
            self._old, self._young = self._young, set()
        self._young.add(mark)
