"""Relays that bound how often they are asked or connected to, each in words of its own."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.relays.odd.behaviour import Behaviour, Client, Question, Refused, Way

if TYPE_CHECKING:
    from tests.relays.odd.relay import OddRelay


@dataclass
class Rate:
    """So many in so many seconds, over all connections."""

    most: int
    seconds: float
    _taken: deque[float] = field(default_factory=deque)

    def take(self) -> bool:
        """Count one more; False if it is too many. Those are not counted."""
        now = time.monotonic()
        while self._taken and now - self._taken[0] >= self.seconds:
            self._taken.popleft()
        if len(self._taken) >= self.most:
            return False
        self._taken.append(now)
        return True


@dataclass
class RequestRate(Behaviour):
    """Bounds REQs."""

    rate: Rate
    way: Way
    words: str

    async def asked(self, client: Client, question: Question) -> bool:
        """Refuse one too many."""
        if self.rate.take():
            return False
        await client.refuse(question, self.way, self.words)
        return True


@dataclass
class HandshakeRate(Behaviour):
    """Bounds handshakes; says nothing about when to come again."""

    rate: Rate

    def handshake(self, relay: OddRelay, path: str) -> Refused | None:
        """Refuse one too many."""
        return None if self.rate.take() else Refused(HTTPStatus.TOO_MANY_REQUESTS, {}, "too many connections")


@dataclass
class EverySecondHandshake(Behaviour):
    """Refuses every second handshake, and says when to come again; one that comes earlier is refused as well."""

    status: HTTPStatus
    retry_after_s: int
    _accepted_last: bool = True
    _not_before: float = 0.0

    def handshake(self, relay: OddRelay, path: str) -> Refused | None:
        """Refuse it, or not."""
        now = time.monotonic()
        refused = self._accepted_last or now < self._not_before
        if refused and self._accepted_last:
            self._not_before = now + self.retry_after_s
        self._accepted_last = not refused
        return Refused(self.status, {"Retry-After": str(self.retry_after_s)}, "later") if refused else None
