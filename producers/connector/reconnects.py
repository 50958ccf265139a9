"""Back-off of reconnects: soon after a connection that brought something, else less and less often."""

from __future__ import annotations

import time
from collections.abc import Callable

from core.backoff import Backoff
from producers.relay_client.refusals import HOUR_S, AskOtherwiseError, RelayError

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = HOUR_S
"""A relay that is dead for weeks is tried a few dozen times a day; eight thousand of them make two tries a second."""
MINIMUM_UPTIME_S = 60.0
"""A connection that lasted so long was a success. Relays that accept and drop would be hammered otherwise."""
MOST_AN_HOUR = 600
"""Connections to one relay, however much each brings: some end them after a hundred events."""
_AT_ONCE = 60
"""Of these, in a row; the rest of the hour's are spread evenly."""
_EVERY_S = HOUR_S / (MOST_AN_HOUR - _AT_ONCE)


class Reconnects:
    """The waits between the connections to one relay."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """None so far; `clock` gives seconds and is replaced in tests."""
        self._clock = clock
        self._backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        self._free = float(_AT_ONCE)
        self._counted_s = clock()

    def wait_s(self, ended: RelayError, *, progress: bool, lasted_s: float) -> float:
        """How long to wait after a connection, or a try.

        Args:
            ended: why it is over.
            progress: it brought seconds or ids that were not known.
            lasted_s: how long it was open.
        """
        if progress or lasted_s >= MINIMUM_UPTIME_S or isinstance(ended, AskOtherwiseError):
            self._backoff.reset()
        # A relay that says for how long is believed, the first time and the hundredth.
        named = ended.state == "rate_limited"
        wait_s = max(ended.wait_s, FIRST_WAIT_S if named else self._backoff.next_s())
        return max(wait_s, self._room_s())

    def _room_s(self) -> float:
        """Count one connection more; how long until there is room for it."""
        now_s = self._clock()
        self._free = min(float(_AT_ONCE), self._free + (now_s - self._counted_s) / _EVERY_S) - 1.0
        self._counted_s = now_s
        return max(0.0, -self._free * _EVERY_S)
