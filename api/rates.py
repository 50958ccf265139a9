"""Rate limits: a token bucket for each client, which fills steadily and holds a minute's requests."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

WINDOW_S = 60
"""The bucket of a client that has made no request holds as many as it may make in this time."""


class Allowance(NamedTuple):
    """What a client has after a request.

    Attributes:
        is_granted: the request may be served.
        left: requests that may follow at once.
        wait_s: seconds until one more may be made; 0 where some are left.
        full_s: seconds until the bucket is full, if no request is made meanwhile.
    """

    is_granted: bool
    left: int
    wait_s: float
    full_s: float


class Rates:
    """The rates of all clients, the least recent of which are forgotten.

    Args:
        per_minute: requests of one client.
        clients: how many are remembered: a forgotten one begins with a full bucket.
        clock: seconds that never go back.
    """

    def __init__(self, per_minute: int, clients: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clients = clients
        self._clock = clock
        self._token_s = WINDOW_S / per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> Allowance:
        """Charge a client for one request, if it may make one."""
        now = self._clock()
        size = float(self.per_minute)
        tokens, at = self._buckets.pop(client, (size, now))
        tokens = min(size, tokens + (now - at) / self._token_s)
        is_granted = tokens >= 1
        if is_granted:
            tokens -= 1
        self._buckets[client] = (tokens, now)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        wait_s = max(0.0, 1 - tokens) * self._token_s
        return Allowance(is_granted, int(tokens), wait_s, (size - tokens) * self._token_s)
