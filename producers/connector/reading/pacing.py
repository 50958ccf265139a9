"""Paces relays while the processor lags: how many copies of each may be in `raw.bundles` that are not validated yet.

Partitions are read in order, so the queue in which relays get their turn must stand before them. Nothing is kept for a
copy but a counter of its relay: now and then the counters are noted with the offsets that Kafka has given so far, and
once the processor has committed beyond these offsets, all that was counted is validated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from weakref import WeakSet

from core.flag import Flag
from core.kafka import COMMIT_INTERVAL_S
from producers.connector.lanes import PRIORITY_SHARE

LEAST_UNDER_WAY = 2000
"""Copies that may always be under way: a sixth of a second of the processor's work."""
LEAST_OF_RELAY = 100
"""Of these, of one relay, however many send: what a live feed brings now and then is never held up."""
LAG_S = 0.5
"""The processor lags when what it works on is certainly so old. Before that its rate is not known: it may have had
nothing to do."""
RELEASED_LOOKS = 10
"""Looks in a row at which nothing lags, after which there is no limit any more: five seconds. Else all would surge
again each time that the queue is short."""
WINDOW_S = 2.0
"""Of the processor's work may be under way: a second of queue, and one after which it is known to be done (a commit, a
look), in which the queue must not run dry."""
_RATE_OVER_S = 2.0
"""The processor's rate is that of so many seconds, since its commits come in steps,"""
_RATES = 20
"""and the highest of so many looks, ten seconds: too high a rate makes the queue longer, too low a one idle."""
AWAY_S = 30.0
"""A processor whose offsets stand still for so long is away: twice the time after which its group drops it."""
_RESOLUTION = 64
"""Snapshots are so much closer than a backlog is long: relays go on that much later, and a day of it has some 500."""


class Window:
    """One relay's copies that are under way, over all of its connections (`Backpressure`)."""

    __slots__ = ("__weakref__", "_pacing", "noted", "priority", "sent", "validated")

    def __init__(self, pacing: Pacing, *, priority: bool) -> None:
        """Nothing is under way."""
        self._pacing = pacing
        self.priority = priority
        """Whether the relay is of the priority lane."""
        self.sent = 0
        """Copies that were put into bundles so far."""
        self.noted = 0
        """Those of them that were noted last."""
        self.validated = 0
        """Those that the processor has done with."""

    @property
    def full(self) -> bool:
        """Whether more are under way than each relay may have."""
        pacing = self._pacing
        allowance = pacing.priority_allowance if self.priority else pacing.allowance
        return pacing.limiting and self.sent - self.validated > allowance

    async def room(self) -> None:
        """Wait until the processor has done with enough of them, or does not lag any more."""
        while self.full:
            await self._pacing.next_look()


class Noted(NamedTuple):
    """How many copies were sent at a time: in all, and by relays that sent some since the time before."""

    total: int
    sent: dict[Window, int]


class _Snapshot(NamedTuple):
    at_s: float
    offsets: Mapping[int, int]
    noted: Noted

    def passed(self, committed: Mapping[int, int]) -> bool:
        return all(committed.get(partition, 0) >= offset for partition, offset in self.offsets.items())


class Pacing:
    """The rule, for all relays of a connector. Every `now_s` is of one monotonic clock."""

    def __init__(self, priority_share: float = PRIORITY_SHARE) -> None:
        """Nothing was sent yet. `priority_share`: of the priority lane, in what may be under way."""
        self._share = priority_share
        self._windows: WeakSet[Window] = WeakSet()
        self._published: dict[int, int] = {}
        self._snapshots: deque[_Snapshot] = deque()
        self._committed: Mapping[int, int] = {}
        self._moved_s: float | None = None
        self._passed: deque[tuple[float, int]] = deque()
        self._rates: deque[float] = deque([0.0], maxlen=_RATES)
        self._total = 0
        self._validated = 0
        self._looked = Flag()
        self.lag_s = 0.0
        """How old what the processor works on is, at least."""
        self.away = False
        """Whether the processor stands still."""
        self._free_looks = RELEASED_LOOKS
        self.allowance = LEAST_UNDER_WAY
        """Copies of a regular relay that may be under way while the processor lags."""
        self.priority_allowance = LEAST_UNDER_WAY
        """The same of a relay of the priority lane."""

    def window(self, *, priority: bool = False) -> Window:
        """Pace one relay more, for as long as what is returned is kept."""
        window = Window(self, priority=priority)
        self._windows.add(window)
        return window

    @property
    def limiting(self) -> bool:
        """Whether relays are held to the allowance."""
        return self._free_looks < RELEASED_LOOKS and not self.away

    @property
    def waiting(self) -> bool:
        """Whether anything is known to be under way."""
        return bool(self._snapshots)

    def acknowledged(self, partition: int, offset: int) -> None:
        """Hear of a record that is durable."""
        self._published[partition] = max(self._published.get(partition, 0), offset + 1)

    def note(self) -> Noted | None:
        """Note what was sent so far; None if that is nothing new."""
        sent: dict[Window, int] = {}
        for window in self._windows:
            if window.sent > window.noted:
                self._total += window.sent - window.noted
                window.noted = sent[window] = window.sent
        if not sent:
            return None
        return Noted(self._total, sent)

    def published(self, noted: Noted, now_s: float) -> None:
        """All that was noted is durable by now."""
        snapshots, sent = self._snapshots, noted.sent
        if len(snapshots) > 1 and now_s - snapshots[-2].at_s < (now_s - snapshots[0].at_s) / _RESOLUTION:
            # The newest takes the place of the one before, and tells what it told. The oldest, which the lag is known
            # by, is never replaced.
            sent = snapshots.pop().noted.sent | sent
        snapshots.append(_Snapshot(now_s, dict(self._published), Noted(noted.total, sent)))

    def look(self, committed: Mapping[int, int], now_s: float) -> None:
        """Take note of what the processor has committed.

        Args:
            committed: the next offset of each partition.
            now_s: the time.
        """
        if committed != self._committed or not self._snapshots:
            self._committed, self._moved_s = dict(committed), now_s
        while self._snapshots and self._snapshots[0].passed(committed):
            noted = self._snapshots.popleft().noted
            self._validated = noted.total
            for window, sent in noted.sent.items():
                window.validated = sent
        oldest_s = now_s - self._snapshots[0].at_s if self._snapshots else 0.0
        self.lag_s = max(0.0, oldest_s - COMMIT_INTERVAL_S)
        self._free_looks = 0 if self.lag_s > LAG_S else self._free_looks + 1
        self.away = self._moved_s is not None and now_s - self._moved_s >= AWAY_S
        self._measure(now_s)
        regular, priority = self._under_way(priority=False), self._under_way(priority=True)
        if rate := max(self._rates):
            room = max(LEAST_UNDER_WAY, int(rate * WINDOW_S))
            kept = int(room * self._share)
            # A lane has its share, and what the other does not need.
            self.allowance = max(LEAST_OF_RELAY, _level(regular, max(room - kept, room - sum(priority))))
            self.priority_allowance = max(LEAST_OF_RELAY, _level(priority, max(kept, room - sum(regular))))
        else:
            # It works on what was there before, as behind a connector that was started again. Live feeds go on.
            self.allowance = self.priority_allowance = LEAST_UNDER_WAY
        self._looked.set()
        self._looked = Flag()

    async def next_look(self) -> None:
        """Wait until the processor was looked at again."""
        await self._looked.wait()

    def _under_way(self, *, priority: bool) -> list[int]:
        """Copies of each relay of a lane that the processor has not done with."""
        its = (window for window in self._windows if window.priority is priority)
        return [window.sent - window.validated for window in its if window.sent > window.validated]

    def _measure(self, now_s: float) -> None:
        """See how many copies a second the processor gets through."""
        passed = self._passed
        passed.append((now_s, self._validated))
        while now_s - passed[0][0] > _RATE_OVER_S and now_s - passed[1][0] >= _RATE_OVER_S:
            passed.popleft()
        began_s, before = passed[0]
        if now_s > began_s:
            self._rates.append((self._validated - before) / (now_s - began_s))


def _level(under_way: Sequence[int], room: int) -> int:
    """How much each relay may have, so that all together have `room`: what some do not need, the others get."""
    if not under_way:
        return room
    ascending = sorted(under_way)
    for number, copies in enumerate(ascending):
        share = room // (len(ascending) - number)
        if copies > share:
            return share
        room -= copies
    # There is room for more, which those take who have most.
    largest = ascending[-1]
    return largest + room // sum(2 * copies > largest for copies in ascending)
