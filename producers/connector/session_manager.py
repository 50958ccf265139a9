"""Runs a session for each relay in the partitions of `relays` that the consumer group assigns to this connector.

After each assignment the gained partitions are read to their end, `relays` and `coverage` both, by readers without a
group, and only then are sockets opened; `relays` is followed from there on, and the group's own consumer reads nothing.
Rebalances are eager: all partitions are taken away and most come back, so nothing is closed until the new assignment
says which did not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from core import metrics
from core.kafka import consumer, read_to_end
from core.kafka.state_change import Change
from core.kafka.state_topic import StateTopic
from core.settings import Settings
from producers.connector.registry.selection import only_records, reopens
from producers.connector.session import Session
from producers.targets import full_name
from schemas.partition import relay_partition
from schemas.records.coverage import Coverage
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize

logger = logging.getLogger(__name__)

_POLL_MS = 200
"""How soon a new assignment is acted upon, at most."""
_FAREWELL_S = 0.3
"""For the closing handshakes of all sockets together: enough for relays that are well. A drain has other work to do."""
OpenSession = Callable[[RelayRecord, Coverage | None], Session | None]
"""Makes the session of a relay; None where its URL is not one to connect to."""


class _Assigned(ConsumerRebalanceListener):
    """Notes the newest assignment; the session manager acts on it, outside of the rebalance callback."""

    def __init__(self) -> None:
        self.partitions: set[int] | None = None

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Nothing yet: most of them come back."""

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Leave the new assignment for the session manager."""
        metrics.REBALANCES.inc()
        self.partitions = {partition.partition for partition in assigned}


class SessionManager:
    """The sessions of this connector, kept equal to what `relays` says."""

    def __init__(self, settings: Settings, open_session: OpenSession) -> None:
        """Read relays with the sessions that `open_session` makes."""
        self._settings = settings
        self._open_session = open_session
        self._topic = full_name(settings, "relays")
        self._assigned = _Assigned()
        connector = settings.connector
        self._only = only_records(connector.only, allow_private=connector.allow_private) if connector.only else None
        self._relays = StateTopic(settings, self._topic, _relay, self._take)
        self._partitions: dict[int, dict[str, RelayRecord]] = {}
        self._count = 0
        self._gained: set[int] = set()
        self._found: dict[bytes, RelayRecord] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: dict[asyncio.Task[None], Session] = {}
        self._left: dict[str, Coverage] = {}
        self._stopping = False
        self.sessions: dict[str, Session] = {}
        """By URL: the relays that are read."""
        self.assigned = False
        """Whether the group has given an assignment, an empty one included."""

    @property
    def partitions(self) -> list[int]:
        """The partitions of `relays` that are followed."""
        return sorted(self._partitions)

    @property
    def known_not_read(self) -> int:
        """Relays of these partitions that the registry wants to be read, and that are not."""
        return sum(
            record.left_because is None and url not in self.sessions
            for known in self._partitions.values()
            for url, record in known.items()
        )

    async def join(self) -> AIOKafkaConsumer:
        """Join the group, waiting for the broker, with a consumer for `run`, which the caller stops."""
        group_id = self._settings.connector.group_id
        return await consumer(self._settings, self._topic, group_id=group_id, listener=self._assigned)

    async def run(self, client: AIOKafkaConsumer) -> None:
        """Follow assignment and registry until `stop`.

        Raises:
            Exception: the consumer failed for good, or a session's task did.
        """
        while not self._stopping:
            await self._follow_assignment(client)
            self._relays.check()
            # Nothing comes: its partitions are paused. The group drops a member that does not ask.
            await client.getmany(timeout_ms=_POLL_MS)
            for task in self._tasks.values():
                if task.done():
                    task.result()

    def stop(self) -> None:
        """Let `run` return after its present turn, in which nothing is opened any more."""
        self._stopping = True

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
        """Follow the registry no more; the sockets are closed before."""
        await self._relays.close()

    async def _take(self, changes: Sequence[Change[RelayRecord]]) -> None:
        """Act on what `relays` says of partitions that are open; keep it for later while they are being read."""
        for change in changes:
            if change.partition in self._partitions:
                self._set(change.partition, change.key, change.value, None)
            elif change.partition in self._gained and change.value is not None:
                self._found[change.key] = change.value
            elif change.partition in self._gained:
                self._found.pop(change.key, None)

    async def _follow_assignment(self, client: AIOKafkaConsumer) -> None:
        """Close what was lost and open what was gained."""
        assigned, self._assigned.partitions = self._assigned.partitions, None
        if assigned is None:
            return
        client.pause(*client.assignment())
        for partition in set(self._partitions) - assigned:
            for url in self._partitions.pop(partition):
                self._left.pop(url, None)
        for url, session in list(self.sessions.items()):
            if relay_partition(session.host, self._count) not in assigned:
                self._end(url)
        # The connector that has these partitions now opens sockets of its own to the same relays.
        await asyncio.gather(*self._ending, return_exceptions=True)
        await self._read(client, assigned)
        self.assigned = True

    async def _read(self, client: AIOKafkaConsumer, assigned: set[int]) -> None:
        """Follow the assigned partitions, and open those that are new once all is known that stands in them."""
        gained = self._gained = assigned - set(self._partitions)
        self._found = {}
        _, coverage = await asyncio.gather(
            self._relays.assign(assigned),
            read_to_end(self._settings, full_name(self._settings, "coverage"), gained, _coverage),
        )
        self._partitions.update({partition: {} for partition in gained})
        found, self._found, self._gained = self._found, {}, set()
        if not gained:
            return
        self._count = len(client.partitions_for_topic(self._topic) or ())
        for key, record in found.items():
            partition = self._partition_of(key)
            if partition in gained:
                self._set(partition, key, record, coverage.get(key))
            else:
                logger.warning("a record of relays is in the wrong partition and is ignored: %r", key[:200])
        for url, record in (self._only or {}).items():
            if self._partition_of(url.encode()) in gained:
                self._open(url, record, coverage.get(url.encode()))
        logger.info("reading %d relays of %d partitions", len(self._tasks), len(self._partitions))

    def _set(self, partition: int, key: bytes, record: RelayRecord | None, coverage: Coverage | None) -> None:
        """Act on what `relays` says of one relay."""
        if self._stopping:
            return
        known = self._partitions[partition]
        url = key.decode(errors="replace")
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
            self._open(url, record, coverage or self._left.pop(url, None))

    def _open(self, url: str, record: RelayRecord, coverage: Coverage | None) -> None:
        opened = self._open_session(record, coverage)
        if opened is not None:
            self.sessions[url] = opened
            self._tasks[url] = asyncio.create_task(opened.run(), name=url)

    def _partition_of(self, key: bytes) -> int | None:
        """Where the record of a relay stands; None for a key that is no normalised URL."""
        try:
            return relay_partition(normalize(key.decode(), allow_private=True).host, self._count)
        except ValueError:
            return None

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


def _relay(key: bytes, value: bytes) -> RelayRecord:
    record = RelayRecord.decode(value)
    if record.url.encode() != key:
        raise ValueError(f"url: {record.url!r} is not the key of its record")
    return record


def _coverage(_key: bytes, value: bytes) -> Coverage:
    return Coverage.decode(value)
