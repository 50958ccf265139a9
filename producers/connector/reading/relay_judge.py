"""Judges a sample of what one relay sends, and charges what is forged to its budget."""

from __future__ import annotations

import time
from collections.abc import Sequence

from core import metrics
from core.flag import Flag
from producers.connector.reading.budget import Budget
from producers.connector.reading.judge_pool import Judged, JudgePool
from producers.connector.reading.sampling import Sampling
from producers.relay_client.refusals import over_budget

WAITING_COPIES = 128
"""Copies of a relay that wait for their verdict, beyond which it is not read: two chunks, so that threads never rest
while the next ones come."""
WAITING_BYTES = 256 * 1024
"""The same in bytes; some 500 relays are within 128 MiB. What one read of the socket brings may go beyond."""
REMEMBERED = 10_000
"""Forged copies that are known by their hash: as many as the budget of an hour allows by default."""


class RelayJudge:
    """One relay, over all of its connections. Its reading rests while too much of it waits (`Backpressure`)."""

    def __init__(
        self, pool: JudgePool, budget: Budget, sampling: Sampling | None = None, *, priority: bool = False
    ) -> None:
        """Judge in `pool`, and charge to `budget`."""
        self._pool = pool
        self.priority = priority
        """Whether the relay is of the priority lane."""
        self._budget = budget
        self._sampling = sampling or Sampling()
        self._copies: list[bytes] = []
        self.open = 0
        """Copies that wait for their verdict, those that a thread has included."""
        self._open_bytes = 0
        # By hash, which is keyed by the process: a relay cannot make two copies that are taken for one.
        self._known: dict[int, None] = {}
        self._heard = Flag()
        self.forged = 0
        """Copies that were found to be forged."""

    def take(self, event: bytes) -> None:
        """Judge a copy, if it is chosen."""
        if self._sampling.takes():
            self._copies.append(event)
            self.open += 1
            self._open_bytes += len(event)
            self._pool.add(self)

    @property
    def full(self) -> bool:
        """Whether too much waits, or the budget is exhausted."""
        return self.open >= WAITING_COPIES or self._open_bytes >= WAITING_BYTES or self._pause_s() > 0

    async def room(self) -> None:
        """Wait until enough is judged.

        Raises:
            RelayError: the relay went beyond what it may cost.
        """
        while self.full:
            if pause_s := self._pause_s():
                raise over_budget(pause_s)
            self._heard.clear()
            await self._heard.wait()

    @property
    def waiting(self) -> int:
        """Copies that no thread was given yet."""
        return len(self._copies)

    def next_copies(self, most: int) -> list[bytes]:
        """Give copies to a thread."""
        copies = self._copies[:most]
        del self._copies[:most]
        return copies

    def judged(self, verdicts: Sequence[Judged]) -> None:
        """Take verdicts. They count whether the connection is still there or not."""
        metrics.JUDGED.inc(len(verdicts))
        now_s = time.monotonic()
        for event, forged in verdicts:
            self.open -= 1
            self._open_bytes -= len(event)
            if forged is not None:
                self.forged += 1
                metrics.FORGED.labels(forged).inc()
                self._sampling.failed()
                self._budget.charge(len(event), now_s, forged=self._is_new(event))
        self._heard.set()

    def _is_new(self, event: bytes) -> bool:
        """Whether a forged copy is not known yet.

        Honest relays have some from years ago, perhaps more in one page than an hour allows. The page is asked for
        again after the pause, and would never be passed if what is known counted as much as before.
        """
        mark = hash(event)
        if mark in self._known:
            return False
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[mark] = None
        return True

    def _pause_s(self) -> float:
        return self._budget.pause_s(time.monotonic())
