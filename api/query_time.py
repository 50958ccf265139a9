"""What each client owes for the time of its queries: the rule by which the database's time is shared."""

from __future__ import annotations

import time
from collections.abc import Callable
from heapq import heappop, heappush

GRACE_S = 0.25
"""Of queries, that a client may have taken beyond its share and go on: some hundred look-ups, or one among many others
that took long."""


class QueryTime:
    """The seconds of queries that clients owe. They are paid off steadily, by all who owe in equal parts.

    So each client has an equal share of `rate`. A client that takes no more of it need not wait for what others took,
    and what is left of the rate is for those who took more.

    Args:
        rate: seconds of queries that are paid off in a second, by all together.
        clients: who may owe; of more, those who owe least are let off.
        clock: seconds that never go back.
    """

    def __init__(self, rate: float, clients: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clients = clients
        self._clock = clock
        self._at = clock()
        self._all = 0.0
        """What all owe together."""
        self._paid = 0.0
        """By each client, had it owed since the beginning: what a client owes is how far its due is above this."""
        self._dues: dict[str, float] = {}
        self._order: list[tuple[float, str]] = []
        """A heap of the dues, and of some that were raised since."""

    def set_rate(self, rate: float) -> None:
        """Pay off at another rate from now on."""
        self._pay()
        self._rate = rate

    def charge(self, client: str, seconds: float) -> None:
        """Note that queries of a client took so long."""
        self._pay()
        self._all += seconds
        self._dues[client] = max(self._paid, self.due(client)) + seconds
        heappush(self._order, (self._dues[client], client))
        if len(self._dues) > self._clients:
            self._all -= (self._lowest() - self._paid) * len(self._dues)
            self._let_first_off()
        if len(self._order) > 2 * self._clients:
            # Of a client that is charged often, far more were raised than are paid off meanwhile.
            self._order = sorted((due, each) for each, due in self._dues.items())

    def due(self, client: str) -> float:
        """The place of a client in the order of who is next: lower is sooner, and only a charge raises it."""
        return self._dues.get(client, 0.0)

    def place(self, client: str) -> float:
        """As `due`, but of a client that owes nothing the place of one that has just paid all."""
        self._pay()
        return self._dues.get(client, self._paid)

    def is_within_share(self, client: str) -> bool:
        """Whether a client has taken no more than its share."""
        self._pay()
        return self.due(client) <= self._paid + GRACE_S

    def wait_s(self, client: str) -> float:
        """Seconds until a client has taken no more than its share, or all owe nothing; 0 where it is so now."""
        if self.is_within_share(client):
            return 0.0
        return min((self.due(client) - self._paid - GRACE_S) * len(self._dues), self._all) / self._rate

    def _pay(self) -> None:
        now = self._clock()
        left = (now - self._at) * self._rate
        self._at = now
        self._all = max(0.0, self._all - left)  # never below, by what floats round
        while self._dues and left > 0:
            lowest = self._lowest()
            needed = (lowest - self._paid) * len(self._dues)
            if needed > left:
                self._paid += left / len(self._dues)
                return
            left -= needed
            self._let_first_off()

    def _lowest(self) -> float:
        while self._dues.get(self._order[0][1]) != self._order[0][0]:
            heappop(self._order)
        return self._order[0][0]

    def _let_first_off(self) -> None:
        self._paid = self._lowest()
        del self._dues[heappop(self._order)[1]]
