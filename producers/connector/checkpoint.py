"""Checkpoints progress in `coverage`, only after Kafka has acknowledged everything that it covers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple
from weakref import WeakKeyDictionary

from core.clock import CLOCK
from producers.bundler import Bundler
from producers.connector.coverage.ledger import Ledger
from producers.connector.session import Session
from producers.send_buffer import SendBuffer
from schemas.partition import relay_partition
from schemas.records.coverage import Coverage

EVERY_S = 1.0
"""How much work a crash repeats, about."""
CURSOR_EVERY_S = 10.0
"""For a relay of which only the cursor moved: a thousand live relays make a hundred records a second."""


class _Written(NamedTuple):
    """The written state of a ledger, and when that was, monotonic seconds."""

    changes: int
    crawled: int
    at_s: float


_NOTHING = _Written(0, 0, 0.0)


class Checkpoints:
    """Writes the ledgers of a connector's sessions."""

    def __init__(
        self,
        send_buffer: SendBuffer,
        bundler: Bundler,
        topic: str,
        partitions: int,
        sessions: Callable[[], Iterable[Session]],
    ) -> None:
        """Write to `topic` (physical name of `coverage`) what the present sessions have read."""
        self._send_buffer = send_buffer
        self._bundler = bundler
        self._topic = topic
        self._partitions = partitions
        self._sessions = sessions
        self._written: WeakKeyDictionary[Ledger, _Written] = WeakKeyDictionary()

    async def run(self) -> None:
        """Write periodically until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.write(everything=False)

    async def write(self, *, everything: bool) -> None:
        """Write what has changed; with `everything` also cursors that are not due yet.

        Raises:
            Exception: what failed the send buffer; nothing is written then.
        """
        due = self._due(everything=everything)
        if not due:
            return
        # Records first, then the wait: they must not cover anything that comes while waiting.
        await self._bundler.flushed()
        for session, written, record in due:
            # Only now: a wait that is cut short by a stop has written nothing.
            self._written[session.ledger] = written
            self._send_buffer.put(
                self._topic,
                record.encode(),
                key=record.relay.encode(),
                partition=relay_partition(session.host, self._partitions),
            )
        await self._send_buffer.flushed()

    def _due(self, *, everything: bool) -> list[tuple[Session, _Written, Coverage]]:
        now_s = time.monotonic()
        due: list[tuple[Session, _Written, Coverage]] = []
        for session in self._sessions():
            session.note_time()
            last = self._written.get(session.ledger, _NOTHING)
            if session.changes == last.changes:
                continue
            if everything or session.crawled != last.crawled or now_s - last.at_s >= CURSOR_EVERY_S:
                written = _Written(session.changes, session.crawled, now_s)
                due.append((session, written, session.coverage(CLOCK.now_ms())))
        return due
