"""Applies rules of erasure to the archive, and publishes for each event that it erases a rule about its id.

A rule about an author or an address says nothing about a sighting, which names an id alone. So for an event that such
a rule covers, in the archive or on its way into it, the sink first publishes a tombstone for its record and its id as
erased, and waits until both are durable. Then a replay refuses its sightings too, and compaction removes the event.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from core import metrics
from core.archive.connection import Connection, Pool, in_time, with_connection
from core.kafka import ProducerRecord, Publisher
from schemas.partition import event_partition
from schemas.records.erasure import Cause, Erasure
from sinks.erasure.erased import Found, erased_among
from sinks.erasure.erased_rows import erase_ids, erase_sightings, expired, new_ids
from sinks.erasure.rules import Rules, find, new_rules, store_if_done
from sinks.portion import in_portions
from sinks.tables import TABLES, Tables

T = TypeVar("T")

# Of rules and of events at a time: their records stay below a megabyte, and batches wait for one transaction of them,
# some tens of milliseconds. Fewer, once so many have timed out.
_AT_A_TIME = 500


class ErasureSender:
    """Publishes tombstones and rules of erasure; each call returns when Kafka has acknowledged all of it."""

    def __init__(self, publisher: Publisher, events: tuple[str, int], erasures: tuple[str, int]) -> None:
        """The topics `events` and `erasures`: full name, and how many partitions it has."""
        self._publisher = publisher
        self._events, self._event_partitions = events
        self._erasures, self._erasure_partitions = erasures

    async def send_tombstones(self, ids: Iterable[bytes]) -> None:
        """Publish tombstones to `events` for the records of ids (32 bytes each)."""
        await self._publisher.deliver(
            ProducerRecord(self._events, None, each, event_partition(each.hex(), self._event_partitions))
            for each in ids
        )

    async def announce(self, found: Iterable[Found]) -> None:
        """Publish that events are erased, whatever rule covered them; once it is durable they may be deleted."""
        found = list({each.id: each for each in found}.values())
        # First: a reader of the rule may assume that the tombstone is there.
        await self.send_tombstones(each.id for each in found)
        now_ms = time.time_ns() // 1_000_000
        rules = [
            Erasure(id=each.id.hex(), created_at=each.created_at, cause=each.cause, erased_at_ms=now_ms)
            for each in found
        ]
        await self._publisher.deliver(
            ProducerRecord(self._erasures, rule.encode(), rule.key(), rule.partition(self._erasure_partitions))
            for rule in rules
        )


class Eraser:
    """Applies rules to one archive. Any number of processes may do so at once: each step may be repeated."""

    def __init__(self, pool: Pool, sender: ErasureSender, tables: Tables = TABLES) -> None:
        self._pool = pool
        self._tables = tables
        self._sender = sender
        self.has_rules = False
        """Whether any rule was met: before, no event can be refused."""

    async def apply(self, rules: Sequence[Erasure]) -> None:
        """Return when every row that rules cover is deleted and none can come back. Known rules cost a look-up."""
        self.has_rules = True
        dates = {bytes.fromhex(rule.id): rule.created_at for rule in rules if rule.id and rule.pubkey is None}
        if dates:
            await in_portions(list(dates), _AT_A_TIME, partial(self._apply_ids, dates))
            # Each statement reads a whole partition, whatever the limit is.
            while await with_connection(self._pool, partial(erase_sightings, limit=_AT_A_TIME)):
                pass
        await in_portions(rules, _AT_A_TIME, self._apply_others)

    async def erase(self, found: Sequence[Found]) -> None:
        """Announce events and delete them."""
        self.has_rules = True
        await self._sender.announce(found)
        await self._erase({each.id: each.created_at for each in found})
        for each in found:
            metrics.ERASED_ROWS.labels(each.cause.value).inc()

    async def refuse(self, ids: Iterable[bytes]) -> set[bytes]:
        """Which events of a batch (ids of 32 bytes each) are erased; tombstones are published for their records."""
        erased: set[bytes] = set()

        async def look_up(some: Sequence[bytes], _limit: int) -> None:
            erased.update(await self._in_time(partial(erased_among, ids=some)))

        wanted = list(ids)
        await in_portions(wanted, max(1, len(wanted)), look_up)
        if erased:
            await self._sender.send_tombstones(erased)
        return erased

    async def erase_expired(self, now_s: int) -> None:
        """Erase what has expired by a moment (Unix seconds)."""
        while True:
            keys = await with_connection(self._pool, partial(expired, now_s=now_s, limit=_AT_A_TIME))
            if not keys:
                return
            await self.erase([Found(created_at, each, Cause.EXPIRATION) for created_at, each in keys])

    async def _in_time(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        return await with_connection(self._pool, in_time(work))

    async def _erase(self, dates: Mapping[bytes, int | None]) -> None:
        async def erase(ids: Sequence[bytes], _limit: int) -> None:
            some = {each: dates[each] for each in ids}
            await self._in_time(partial(erase_ids, dates=some, tables=self._tables))

        await in_portions(list(dates), _AT_A_TIME, erase)

    async def _apply_ids(self, dates: Mapping[bytes, int | None], ids: Sequence[bytes], _limit: int) -> None:
        new = await self._in_time(partial(new_ids, ids=ids))
        # A rule with a date was announced behind its tombstone.
        await self._sender.send_tombstones(each for each in new if dates[each] is None)
        await self._erase({each: dates[each] for each in new})

    async def _apply_others(self, rules: Sequence[Erasure], limit: int) -> None:
        others = await self._in_time(partial(new_rules, rules=Rules.of(rules)))
        done = not others
        while not done:
            # Looked for without the lock first: batches go on meanwhile.
            if found := await self._in_time(partial(find, rules=others, limit=limit)):
                await self.erase(found)
            else:
                done = await self._in_time(partial(store_if_done, rules=others))
