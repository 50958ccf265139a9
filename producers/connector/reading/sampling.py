"""Which copies of a relay are judged by the connector: its first ones, then some at random."""

from __future__ import annotations

import math
from random import Random

JUDGED_FIRST = 500
"""As many as a page has: a relay that forges is found out with its first answer, and the check takes 30 ms."""
ONE_IN = 64
"""A check costs about 60 µs, so this is 1 µs a copy in the mean; who forges all is found out after 64 copies."""
_LOG_PASSED_OVER = math.log1p(-1 / ONE_IN)
_RANDOM = Random()  # noqa: S311 - a relay sees nothing of what is drawn
"""Of all relays, seeded by the system: its state takes 2.5 KB."""


class Sampling:
    """Chooses copies of one relay, over all of its connections.

    Each copy is chosen with the same probability, whatever was chosen before, so that a relay cannot tell which one is
    next. What is drawn is the number of copies up to the next one, which costs less than a draw for each.
    """

    def __init__(self, random: Random | None = None) -> None:
        """Choose by `random`; by the one of all relays where none is given."""
        self._random = random or _RANDOM
        self._first = JUDGED_FIRST
        self._pass_over = 0

    def takes(self) -> bool:
        """Whether the next copy is to be judged."""
        if self._pass_over:
            self._pass_over -= 1
            return False
        if self._first:
            self._first -= 1
        if not self._first:
            # Geometric distribution; `random` is below 1, so that its complement has a logarithm.
            self._pass_over = int(math.log(1 - self._random.random()) / _LOG_PASSED_OVER)
        return True

    def failed(self) -> None:
        """A copy was forged: all are judged again, as the first ones."""
        self._first, self._pass_over = JUDGED_FIRST, 0
