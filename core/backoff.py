"""Back-off between retries: exponential with full jitter, so that many clients of one server spread out."""

from __future__ import annotations

import random
from collections.abc import Callable

# 2**30 times any sensible first wait is beyond any sensible longest wait; it keeps the power finite.
_MAX_DOUBLINGS = 30


def ceiling_s(failures: int, initial_s: float, max_s: float) -> float:
    """The longest wait after so many failures before: doubled with each, from `initial_s` up to `max_s`."""
    return min(max_s, initial_s * 2.0 ** min(failures, _MAX_DOUBLINGS))


class Backoff:
    """A sequence of waiting times: each is uniform between 0 and a ceiling that doubles up to `max_s`.

    Full jitter (AWS Architecture Blog, 2015) with a floor: a wait is never shorter than a tenth of its ceiling, so that
    an unlucky draw cannot hammer a server.
    """

    def __init__(self, initial_s: float, max_s: float, *, draw: Callable[[], float] = random.random) -> None:
        """Start the sequence; `draw` gives numbers from 0 to 1, of which 1 is the ceiling itself.

        Raises:
            ValueError: the ceilings are not 0 < initial_s <= max_s.
        """
        if not 0 < initial_s <= max_s:
            raise ValueError(f"a back-off needs 0 < initial_s <= max_s, not {initial_s} and {max_s}")
        self._initial_s = initial_s
        self._max_s = max_s
        self._draw = draw
        self.failures = 0
        """Waits drawn since the start or the last reset."""

    def next_s(self) -> float:
        """Draw the next waiting time in seconds."""
        ceiling = ceiling_s(self.failures, self._initial_s, self._max_s)
        self.failures += 1
        return ceiling * (0.1 + 0.9 * self._draw())

    def reset(self) -> None:
        """Begin again with the first waiting time; call it after a success that lasted."""
        self.failures = 0
