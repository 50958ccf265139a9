"""Counts what was refused by topic and reason, from the records of the topics themselves."""

from __future__ import annotations

import asyncio
from collections import Counter

from bigbrotr.status.snapshot import Refused
from bigbrotr.status.topic_offsets import OffsetsReader
from core.kafka import Bounds, lag
from core.settings import Settings
from producers.rejected.records import TOPICS, Place, RejectedInput
from schemas.topics import logical, physical

READ_RECORDS = 2_000
"""So many are read and counted by reason, which takes a tenth of a second."""
_READ_S = 0.5
"""A record may be a mebibyte: what takes longer to read is left to `bigbrotr rejections list`."""


async def refused(settings: Settings, reader: OffsetsReader, bounds: Bounds) -> dict[str, Refused]:
    """Count the records of `rejections`, `quarantine` and `unwritten`, of those that exist.

    Args:
        settings: name the prefix of topics.
        reader: is asked for the records.
        bounds: of all topics, as read just now.
    """
    prefix = settings.kafka.topic_prefix
    found = {}
    for name in TOPICS:
        topic = physical(prefix, name)
        held = Bounds(*({tp: at for tp, at in side.items() if tp.topic == topic} for side in bounds))
        if not held.ends:
            continue
        records = lag(held.ends, held.begins, {})
        reasons = await _reasons(prefix, reader, held) if 0 < records <= READ_RECORDS else Counter()
        # Retention may have removed some meanwhile.
        found[name] = Refused(records, dict(reasons) if reasons.total() == records else {})
    return found


async def _reasons(prefix: str, reader: OffsetsReader, held: Bounds) -> Counter[str]:
    counts: Counter[str] = Counter()
    try:
        async with asyncio.timeout(_READ_S):
            async for record in reader.records(held):
                place = Place(logical(prefix, record.topic), record.partition, record.offset)
                item = RejectedInput.of(place, record.timestamp, record.key, record.value, record.headers)
                counts[item.reason] += 1
    except TimeoutError:
        pass
    return counts
