"""Records of the topic `relays`, written as the registry writes them, where none runs."""

from __future__ import annotations

import time
from collections.abc import Iterable

from core.kafka import publishing
from core.settings import Settings
from producers.targets import full_name
from schemas.partition import relay_partition
from schemas.records.relay import Lane, RelayRecord
from schemas.relay_urls.relay_url import RelayUrl


async def publish_relays(
    settings: Settings, relays: Iterable[RelayUrl], *, allow_private: bool = False, lane: Lane = "regular"
) -> None:
    """Write a record for each relay."""
    topic = full_name(settings, "relays")
    async with publishing(settings) as publisher:
        partitions = await publisher.partition_count(topic)
        now_ms = time.time_ns() // 1_000_000
        for url in relays:
            record = RelayRecord(
                url=url.url,
                spelling=url.spelling,
                network=url.network,
                source="operator",
                sources=("operator",),
                lane=lane,
                allow_private=allow_private,
                updated_at_ms=now_ms,
            )
            await publisher.send(topic, record.encode(), url.url.encode(), relay_partition(url.host, partitions))
        await publisher.flush()
