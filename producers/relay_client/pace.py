"""How fast a host is spoken to: as fast as it answers, until it asks for less; then no faster than it bears.

One pace holds for all URLs of a host, and for handshakes and messages alike: relays count per address. A time that the
relay names is waited for. Without one the rate is halved at each refusal and grows a little with each answer (additive
increase, multiplicative decrease, as in RFC 5681).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakValueDictionary

from producers.relay_client.loop_clock import loop_s
from producers.relay_client.refusals import MINUTE_S
from producers.relay_client.wording import Said

SLOWEST_S = MINUTE_S
"""Between two messages: no relay is left alone for longer unless it says so itself."""
_FASTEST_S = 0.25
"""A pace that has recovered to four messages a second is none any more: answers take as long."""
_FIRST_S, _TELLING = 0.5, 10
"""The first pace; half the rate of the last minute, where so many messages were sent in it."""
_STEP_PER_MINUTE = 0.5
"""What one answer adds to the rate: a pace of 10 a minute doubles in 20 answers."""
_MARGIN = 1.05
"""Above the rate that a relay names, for its clock and the network's jitter."""
_HEARD_S = 1.0
"""Refusals that come so soon after one are answers to messages that were on their way."""
_REMEMBERED = 128
"""Times of messages, to tell when a named window has room again. A relay that allows more in one has its room sooner
than the oldest of them says."""


class Pace:
    """The pace of one host. `turn` waits; the rest tells what came of it."""

    def __init__(self, clock: Callable[[], float] = loop_s) -> None:
        """Begin without a pace; `clock` gives seconds and is replaced in tests."""
        self._clock = clock
        self._sent: deque[float] = deque(maxlen=_REMEMBERED)
        self._next_s = 0.0
        self._turns = asyncio.Lock()
        self._named_s = 0.0
        self._slowed_s = 0.0
        self.interval_s = 0.0
        """Between two messages; 0: as they come."""

    @property
    def wait_s(self) -> float:
        """For how long nothing may be sent now."""
        return max(0.0, self._next_s - self._clock())

    async def turn(self) -> None:
        """Wait until a message, or a handshake, may be sent."""
        # In a row, so that those who wait do not all send at once.
        async with self._turns:
            await asyncio.sleep(self.wait_s)
            if self.wait_s:
                # Refused meanwhile: those who were asked before have moved it.
                await asyncio.sleep(self.wait_s)
            now_s = self._clock()
            self._sent.append(now_s)
            self._next_s = now_s + self.interval_s

    def answered(self) -> None:
        """The host has answered a question: a little more is tried."""
        if self.interval_s <= self._named_s:
            return
        per_minute = MINUTE_S / self.interval_s + _STEP_PER_MINUTE
        self.interval_s = max(MINUTE_S / per_minute, self._named_s)
        if self.interval_s <= _FASTEST_S:
            self.interval_s = 0.0

    def refused(self, said: Said) -> None:
        """The host asks for less: at a time or a rate that it names, else at half of the present one."""
        now_s = self._clock()
        if now_s < self._slowed_s:
            # What was sent before the last refusal was heard of.
            return
        if said.wait_s is not None:
            self._next_s = max(self._next_s, now_s + said.wait_s)
            return
        if said.rate is not None and self.interval_s < (named_s := said.rate[1] / said.rate[0] * _MARGIN):
            messages, seconds = said.rate
            self.interval_s = self._named_s = named_s
            window = list(self._sent)[-messages:]
            self._next_s = max(self._next_s, window[0] + seconds * _MARGIN if window else now_s + named_s)
            return
        self._slowed_s = now_s + _HEARD_S
        recent = sum(1 for sent_s in self._sent if now_s - sent_s < MINUTE_S)
        first_s = 2 * MINUTE_S / recent if recent >= _TELLING else _FIRST_S
        self.interval_s = min(max(2 * self.interval_s, first_s), SLOWEST_S)
        self._next_s = max(self._next_s, now_s + self.interval_s)

    def begin_at(self, interval_s: float) -> None:
        """Go on at a pace that was learnt in an earlier process."""
        self.interval_s = min(max(self.interval_s, interval_s), SLOWEST_S)


class Paces:
    """The paces of a process, one for each host as long as something of it is read."""

    def __init__(self) -> None:
        """None yet."""
        self._hosts: WeakValueDictionary[str, Pace] = WeakValueDictionary()

    def of(self, host: str) -> Pace:
        """The one of a host: a name or an address, with a port where the ports are to be told apart."""
        pace = self._hosts.get(host)
        if pace is None:
            pace = self._hosts[host] = Pace()
        return pace
