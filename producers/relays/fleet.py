"""Which relays this connector reads: the partitions of `relays` that its consumer group gives it, and nothing else.

After each assignment the gained partitions are read to their end, `relays` and `coverage` both, by a reader without a
group, and only then are sockets opened. Rebalances are eager: all partitions are taken away and most come back, so
nothing is closed until the new assignment says which did not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition

from core import metrics
from core.kafka import consumer, read_to_end, stop_client
from core.settings import Settings
from producers.relays.session import Session
from producers.targets import full_name
from schemas.coverage import Coverage
from schemas.relay_record import RelayRecord

logger = logging.getLogger(__name__)

_POLL_MS = 200
"""How soon a new assignment or a change of a relay is acted upon, at most."""
OpenSession = Callable[[RelayRecord, Coverage | None], Session | None]
"""Makes the session of a relay; None where its URL is not one to connect to."""


class _Assigned(ConsumerRebalanceListener):
    """Notes the newest assignment; the fleet acts on it, outside of the group's own work."""

    def __init__(self) -> None:
        self.partitions: set[int] | None = None

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Nothing yet: most of them come back."""

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Leave the new assignment for the fleet."""
        metrics.REBALANCES.inc()
        self.partitions = {partition.partition for partition in assigned}


class Fleet:
    """The sessions of this connector, kept equal to what `relays` says."""

    def __init__(self, settings: Settings, open_session: OpenSession) -> None:
        """Read relays with the sessions that `open_session` makes."""
        self._settings = settings
        self._open_session = open_session
        self._topic = full_name(settings, "relays")
        self._assigned = _Assigned()
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions: dict[int, dict[str, RelayRecord]] = {}
        self._next: dict[int, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self.sessions: dict[str, Session] = {}
        """By URL: the relays that are read."""
        self.assigned = False
        """Whether the group has given an assignment, an empty one included."""

    async def start(self) -> None:
        """Join the group, waiting for the broker."""
        group_id = self._settings.connector.group_id
        self._consumer = await consumer(self._settings, self._topic, group_id=group_id, listener=self._assigned)

    async def run(self) -> None:
        """Follow assignment and registry until `stop`.

        Raises:
            Exception: the consumer failed for good, or a session's task did.
        """
        client = self._consumer
        if client is None:
            raise RuntimeError("the fleet was not started")
        while not self._stopping:
            gained = await self._follow_assignment()
            for partition in gained:
                client.seek(TopicPartition(self._topic, partition), self._next[partition])
            for tp, records in (await client.getmany(timeout_ms=_POLL_MS)).items():
                if tp.partition in self._partitions:
                    self._follow(tp.partition, records)
            for task in self._tasks.values():
                if task.done():
                    task.result()

    def stop(self) -> None:
        """Let `run` return after its present turn."""
        self._stopping = True

    async def close_sockets(self) -> None:
        """Close every socket; what was received stays where it is."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    async def close(self) -> None:
        """Close every socket and leave the group."""
        await self.close_sockets()
        if self._consumer is not None:
            await stop_client(self._consumer)

    def _follow(self, partition: int, records: list[ConsumerRecord[bytes, bytes]]) -> None:
        """Act on new records of a partition."""
        for record in records:
            # After each rebalance the group's own position is delivered first: older states, which would undo newer.
            if record.offset < self._next[partition]:
                continue
            self._next[partition] = record.offset + 1
            if record.key is not None:
                self._set(partition, record.key, record.value, None)

    async def _follow_assignment(self) -> set[int]:
        """Close what was lost and open what was gained; the gained partitions."""
        assigned, self._assigned.partitions = self._assigned.partitions, None
        if assigned is None:
            return set()
        for partition in set(self._partitions) - assigned:
            for url in list(self._partitions.pop(partition)):
                await self._close(url)
        gained = assigned - set(self._partitions)
        if gained:
            await self._read(gained)
        self.assigned = True
        return gained

    async def _read(self, gained: set[int]) -> None:
        client = self._consumer
        if client is None:
            return
        # The end is taken before the reading: what comes in between is read twice, and the second time is newer.
        ends = await client.end_offsets([TopicPartition(self._topic, partition) for partition in gained])
        self._next |= {tp.partition: end for tp, end in ends.items()}
        coverage = await read_to_end(self._settings, full_name(self._settings, "coverage"), gained)
        for partition in sorted(gained):
            self._partitions[partition] = {}
            relays = await read_to_end(self._settings, self._topic, [partition])
            for key, value in relays.items():
                self._set(partition, key, value, _coverage(coverage.get(key)))
        logger.info("reading %d relays of %d partitions", len(self._tasks), len(self._partitions))

    def _set(self, partition: int, key: bytes, value: bytes | None, coverage: Coverage | None) -> None:
        """Act on one record of `relays`."""
        known = self._partitions[partition]
        url = key.decode(errors="replace")
        record = _record(url, value) if value is not None else None
        before = known.get(url)
        if record is None:
            known.pop(url, None)
        else:
            known[url] = record
        if before is not None and record is not None and _equal(before, record) and url in self._tasks:
            return
        session = self.sessions.pop(url, None)
        if (task := self._tasks.pop(url, None)) is not None:
            task.cancel()
        if record is None or not record.allowed:
            return
        if coverage is None and session is not None:
            coverage = session.ledger.record(0)
        opened = self._open_session(record, coverage)
        if opened is not None:
            self.sessions[url] = opened
            self._tasks[url] = asyncio.create_task(opened.run(), name=url)

    async def _close(self, url: str) -> None:
        self.sessions.pop(url, None)
        if (task := self._tasks.pop(url, None)) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _equal(one: RelayRecord, other: RelayRecord) -> bool:
    return one.model_copy(update={"updated_at_ms": other.updated_at_ms}) == other


def _record(url: str, value: bytes) -> RelayRecord | None:
    try:
        record = RelayRecord.decode(value)
    except ValueError as error:
        logger.warning("the record of %s in relays is not one, so it is not read: %s", url, error)
        return None
    return record if record.url == url else None


def _coverage(value: bytes | None) -> Coverage | None:
    if value is None:
        return None
    try:
        return Coverage.decode(value)
    except ValueError as error:
        logger.warning("a record of coverage is not one, so its relay is read anew: %s", error)
        return None
