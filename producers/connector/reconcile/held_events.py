"""Reports events of the archive that a relay was shown to hold: lines of a bundle without the events."""

from __future__ import annotations

from collections.abc import Sequence

from core.clock import CLOCK
from producers.bundler import Bundler
from producers.send_buffer import SendBuffer
from schemas.records.bundle import HeldLine

_HELD_AT_ONCE = 1_000
"""Ids of which lines are written before looking whether Kafka keeps up: some 150 KB."""


class HeldEvents:
    """Those of one relay."""

    def __init__(self, relay: str, bundler: Bundler, send_buffer: SendBuffer, *, priority: bool = False) -> None:
        """Report by `bundler`, which puts into `send_buffer`, what the relay of this normalised URL and lane holds."""
        self._relay = relay
        self._bundler = bundler
        self._room = send_buffer.priority.room if priority else send_buffer.room
        self._priority = priority

    async def report(self, held: Sequence[tuple[int, str]]) -> None:
        """Report events by `created_at` and id."""
        for start in range(0, len(held), _HELD_AT_ONCE):
            seen_at_ms = CLOCK.now_ms()
            for created_at, event_id in held[start : start + _HELD_AT_ONCE]:
                line = HeldLine(self._relay, seen_at_ms, event_id, created_at)
                self._bundler.add_held(line, priority=self._priority)
            await self._room()
