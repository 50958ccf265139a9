"""The share of the registry that a consumer group gives this process: partitions of `relays`, with all their records.

After each assignment the gained partitions are read to their end by a reader without a group, with whatever else is
needed of them, and only then is anything done with their relays; `relays` is followed from there on, and the group's
own consumer reads nothing. Rebalances are eager: all partitions are taken away and most come back, so nothing is given
up until the new assignment says which did not.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from core import metrics
from core.kafka import consumer
from core.kafka.state_change import Change
from core.kafka.state_topic import StateTopic
from core.settings import Settings
from producers.targets import full_name
from schemas.partition import relay_partition
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize

logger = logging.getLogger(__name__)

_POLL_MS = 200
"""How soon a new assignment is acted upon, at most."""
TURN_S = 2.0
"""One turn of `RelayShare.run`, unless Kafka is away: so long its end is waited for once it is told to stop."""


class _Assigned(ConsumerRebalanceListener):
    """Notes the newest assignment; the share acts on it, outside of the rebalance callback."""

    def __init__(self) -> None:
        self.partitions: set[int] | None = None

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Nothing yet: most of them come back."""

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Leave the new assignment for `RelayShare.run`."""
        metrics.REBALANCES.inc()
        self.partitions = {partition.partition for partition in assigned}


class RelayShare(ABC):
    """Follows the assignment and the records of its relays; subclasses do something with these."""

    def __init__(self, settings: Settings, group_id: str) -> None:
        """Share the relays with the members of a group; `join` is where that begins."""
        self._settings = settings
        self._group_id = group_id
        self._topic = full_name(settings, "relays")
        self._assigned = _Assigned()
        self._relays = StateTopic(settings, self._topic, _relay, self._follow)
        self._held: set[int] = set()
        self._count = 0
        self._gained: set[int] = set()
        self._found: dict[bytes, RelayRecord] = {}
        self._stopping = False
        self.assigned = False
        """Whether the group has given an assignment, an empty one included."""

    @property
    def partitions(self) -> list[int]:
        """The partitions of `relays` that are followed."""
        return sorted(self._held)

    async def join(self) -> AIOKafkaConsumer:
        """Join the group, waiting for the broker, with a consumer for `run`, which the caller stops."""
        return await consumer(self._settings, self._topic, group_id=self._group_id, listener=self._assigned)

    async def run(self, client: AIOKafkaConsumer) -> None:
        """Follow assignment and registry until `stop`.

        Raises:
            Exception: the consumer failed for good, or what `check` raises.
        """
        while not self._stopping:
            await self._follow_assignment(client)
            self._relays.check()
            # Nothing comes: its partitions are paused. The group drops a member that does not ask.
            await client.getmany(timeout_ms=_POLL_MS)
            self.check()

    def stop(self) -> None:
        """Let `run` return after its present turn, in which nothing is taken up any more."""
        self._stopping = True

    async def close(self) -> None:
        """Follow the registry no more."""
        await self._relays.close()

    def is_of(self, host: str, partitions: Collection[int]) -> bool:
        """Whether the relays of a host lie in one of these partitions."""
        return relay_partition(host, self._count) in partitions

    @abstractmethod
    async def lost(self, held: Collection[int]) -> None:
        """Give up the relays of all partitions but these; return when another process may take them up."""

    @abstractmethod
    async def read(self, assigned: Collection[int], gained: Collection[int]) -> None:
        """Read what else must be known before relays of the gained partitions are taken up."""

    @abstractmethod
    def take(self, partition: int, url: str, record: RelayRecord | None) -> None:
        """Act on what `relays` says of one relay; None: nothing any more."""

    @abstractmethod
    def opened(self, gained: Collection[int]) -> None:
        """Note that all records that the gained partitions had were taken."""

    @abstractmethod
    def check(self) -> None:
        """Raise what failed in the meantime, if anything did."""

    async def _follow(self, changes: Sequence[Change[RelayRecord]]) -> None:
        """Pass on what `relays` says of partitions that are held; keep it for later while they are being read."""
        for change in changes:
            if change.partition in self._held:
                self._take(change.partition, change.key, change.value)
            elif change.partition in self._gained and change.value is not None:
                self._found[change.key] = change.value
            elif change.partition in self._gained:
                self._found.pop(change.key, None)

    async def _follow_assignment(self, client: AIOKafkaConsumer) -> None:
        """Give up what was lost and take up what was gained."""
        assigned, self._assigned.partitions = self._assigned.partitions, None
        if assigned is None:
            return
        client.pause(*client.assignment())
        self._count = len(client.partitions_for_topic(self._topic) or ()) or self._count
        self._held &= assigned
        await self.lost(self._held)
        gained = self._gained = assigned - self._held
        self._found = {}
        await asyncio.gather(self._relays.assign(assigned), self.read(assigned, gained))
        self._held |= gained
        found, self._found, self._gained = self._found, {}, set()
        for key, record in found.items():
            self._take(self._partition_of(key), key, record)
        if gained:
            self.opened(gained)
        self.assigned = True

    def _take(self, partition: int | None, key: bytes, record: RelayRecord | None) -> None:
        if self._stopping:
            return
        if partition is None or partition not in self._held:
            logger.warning("a record of relays is in the wrong partition and is ignored: %r", key[:200])
            return
        self.take(partition, key.decode(errors="replace"), record)

    def _partition_of(self, key: bytes) -> int | None:
        """Where the record of a relay stands; None for a key that is no normalised URL."""
        try:
            return relay_partition(normalize(key.decode(), allow_private=True).host, self._count)
        except ValueError:
            return None


def _relay(key: bytes, value: bytes) -> RelayRecord:
    record = RelayRecord.decode(value)
    if record.url.encode() != key:
        raise ValueError(f"url: {record.url!r} is not the key of its record")
    return record
