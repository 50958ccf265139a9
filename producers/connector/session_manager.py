"""Runs a session for each relay of the share of the registry that the consumer group gives this connector.

`relays`, `coverage` and the limits in `relays.health` of a partition are read to their end before sockets are opened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from core.kafka import read_to_end
from core.settings import Settings
from producers.connector.known_limits import KnownLimits
from producers.connector.registry.selection import only_records, reopens
from producers.connector.session import Session
from producers.relay_share import RelayShare
from producers.targets import full_name
from schemas.records.coverage import Coverage
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize

logger = logging.getLogger(__name__)

_FAREWELL_S = 0.3
"""For the closing handshakes of all sockets together: enough for relays that are well. A drain has other work to do."""
OpenSession = Callable[[RelayRecord, Coverage | None], Session | None]
"""Makes the session of a relay; None where its URL is not one to connect to."""


class SessionManager(RelayShare):
    """The sessions of this connector, kept equal to what `relays` says."""

    def __init__(self, settings: Settings, open_session: OpenSession, limits: KnownLimits) -> None:
        """Read relays with the sessions that `open_session` makes, within limits that are known before."""
        self._limits = limits
        connector = settings.connector
        super().__init__(settings, connector.group_id)
        self._open_session = open_session
        self._only = only_records(connector.only, allow_private=connector.allow_private) if connector.only else None
        self._known: dict[int, dict[str, RelayRecord]] = {}
        self._coverage: dict[bytes, Coverage] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: dict[asyncio.Task[None], Session] = {}
        self._left: dict[str, Coverage] = {}
        self.sessions: dict[str, Session] = {}
        """By URL: the relays that are read."""

    @property
    def known_not_read(self) -> int:
        """Relays of these partitions that the registry wants to be read, and that are not."""
        return sum(
            record.left_because is None and url not in self.sessions
            for known in self._known.values()
            for url, record in known.items()
        )

    def check(self) -> None:
        """Raise what a session's task raised, or the following of limits."""
        self._limits.check()
        for task in self._tasks.values():
            if task.done():
                task.result()

    async def close_sockets(self) -> None:
        """Close every socket within a moment; `sessions` stay, for what they know is still to be recorded.

        Relays cannot make it longer: those that do not answer, or do not read what they are told, are cut off.
        """
        for url in list(self._tasks):
            self._let_go(url, self.sessions[url])
        if not self._ending:
            return
        await asyncio.wait(self._ending, timeout=_FAREWELL_S)
        for session in self._ending.values():
            session.cut()
        if self._ending:
            # Without a socket nothing is left to wait for but the archive, whose connections end at the close.
            await asyncio.wait(self._ending, timeout=_FAREWELL_S)

    async def close(self) -> None:
        """Follow registry and limits no more; the sockets are closed before."""
        await super().close()
        await self._limits.close()

    async def lost(self, held: Collection[int]) -> None:
        """Close what was lost: the connector that has it now opens sockets of its own to the same relays."""
        for partition in set(self._known) - set(held):
            for url in self._known.pop(partition):
                self._left.pop(url, None)
        for url, session in list(self.sessions.items()):
            if not self.is_of(session.host, held):
                self._end(url)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def read(self, assigned: Collection[int], gained: Collection[int]) -> None:
        """Read how far the relays of the gained partitions are read, and what is known of their limits."""
        self._known |= {partition: {} for partition in gained}
        name = full_name(self._settings, "coverage")
        self._coverage, _ = await asyncio.gather(
            read_to_end(self._settings, name, gained, lambda _key, value: Coverage.decode(value)),
            self._limits.assign(assigned),
        )

    def opened(self, gained: Collection[int]) -> None:
        """Open the relays that are read whatever the registry says."""
        for url, record in (self._only or {}).items():
            if self.is_of(normalize(url, allow_private=True).host, gained):
                self._open(url, record, self._coverage.get(url.encode()))
        self._coverage = {}
        logger.info("reading %d relays of %d partitions", len(self._tasks), len(self.partitions))

    def take(self, partition: int, url: str, record: RelayRecord | None) -> None:
        """Open, close or go on with the session of a relay."""
        known = self._known[partition]
        before = known.pop(url, None)
        if record is not None:
            known[url] = record
        if self._only is not None:
            return
        if before is not None and record is not None and not reopens(before, record):
            if url in self.sessions:
                self.sessions[url].follow(record)
            return
        session = self._end(url)
        if session is not None:
            # Not durable yet as it stands, but neither is it written before everything received until now is.
            self._left[url] = session.coverage(0)
        if record is not None and record.left_because is None:
            self._open(url, record, self._coverage.get(url.encode()) or self._left.pop(url, None))

    def _open(self, url: str, record: RelayRecord, coverage: Coverage | None) -> None:
        opened = self._open_session(record, coverage)
        if opened is not None:
            self.sessions[url] = opened
            self._tasks[url] = asyncio.create_task(opened.run(), name=url)

    def _end(self, url: str) -> Session | None:
        """Let a relay go; its socket closes in a moment."""
        session = self.sessions.pop(url, None)
        if session is not None:
            self._let_go(url, session)
        return session

    def _let_go(self, url: str, session: Session) -> None:
        task = self._tasks.pop(url, None)
        if task is not None:
            self._ending[task] = session
            task.add_done_callback(self._ending.pop)
            task.cancel()
