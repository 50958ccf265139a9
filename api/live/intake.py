"""Takes records of the topic `events` into a feed: decoded, looked up in the archive, and not faster than is kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from aiokafka import ConsumerRecord

from api.live.archive import Archive
from api.live.backlog import Backlog
from api.live.feed import Feed
from api.live.record import Erased, New, read_record
from api.live.ring import LiveEvent
from core import metrics
from core.archive.origin import Standing

logger = logging.getLogger(__name__)

PORTION_BYTES = 1024 * 1024
"""Of records that are decoded at a time: what is held back while the archive has no answer."""
_AGAIN_S = 0.2
"""Between two questions how far the sink is: as late as an event may be that waits for it."""
_TURN_S = 0.01
"""Delivering stops for other work of the event loop after this long: one event may go to thousands."""


class Intake:
    """Takes records in the order of each partition.

    Args:
        feed: is given the events.
        archive: says which are hidden, and how far the sink is.
        backlog: is told how far that is.
        sink_s: a sink that has written nothing for so long is waited for no longer.
    """

    def __init__(self, feed: Feed, archive: Archive, backlog: Backlog, sink_s: float) -> None:
        self._feed = feed
        self._archive = archive
        self._backlog = backlog
        self._sink_s = sink_s
        self._sink_stands_still = False

    def note_written(self, rows: Sequence[Standing]) -> bool:
        """Note how far the archive was written; whether that is news."""
        is_news = self._backlog.note_written({row.partition: row.next_offset for row in rows})
        if is_news:
            self._sink_stands_still = False
        return is_news

    async def take(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        """Keep and deliver the events of records, but those that are hidden."""
        first = size_bytes = 0
        for number, record in enumerate(records):
            more_bytes = len(record.value or b"")
            if size_bytes and size_bytes + more_bytes > PORTION_BYTES:
                await self._take(records[first:number])
                first, size_bytes = number, 0
            size_bytes += more_bytes
        if records:
            await self._take(records[first:])

    async def _take(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        read = [each for each in map(_readable, records) if each is not None]
        events = [each.live.event for each in read if isinstance(each, New)]
        hidden = await self._archive.hidden(events) if events else set()
        metrics.LIVE_HIDDEN.inc(len(hidden))
        hidden.update(each.event_id for each in read if isinstance(each, Erased))
        began = time.monotonic()
        for each in read:
            if isinstance(each, Erased):
                self._feed.ring.erase(each.event_id)
            elif each.live.event.id not in hidden:
                await self._until_room(each.live)
                metrics.LIVE_DELIVERED.inc(self._feed.add(each.partition, each.offset, each.live))
            if time.monotonic() - began > _TURN_S:
                await asyncio.sleep(0)
                began = time.monotonic()

    async def _until_room(self, live: LiveEvent) -> None:
        """Wait until what an event takes the place of was written by the sink, as long as it writes."""
        began = time.monotonic()
        while not self._sink_stands_still and self._feed.ring.loses_unwritten(live.size_bytes, self._backlog.written):
            rows = await self._archive.standing()
            if rows is not None and self.note_written(rows):
                began = time.monotonic()
            elif time.monotonic() - began > self._sink_s:
                self._sink_stands_still = True  # until it is found to have moved
            else:
                await asyncio.sleep(_AGAIN_S)


def _readable(record: ConsumerRecord[bytes, bytes]) -> New | Erased | None:
    try:
        return read_record(record)
    except ValueError as error:
        metrics.LIVE_BAD_RECORDS.inc()
        logger.warning(
            "the record at offset %d of %s/%d is passed over: %s", record.offset, record.topic, record.partition, error
        )
        return None
