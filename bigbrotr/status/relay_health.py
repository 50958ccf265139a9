"""What Kafka has of the health of relays, and of their information documents."""

from __future__ import annotations

from collections.abc import Collection

from core.kafka import read_to_end
from core.kafka.topics import describe_topics
from core.settings import Settings
from schemas.nostr.relay_document import NotADocumentError, RelayInformation, parse_document
from schemas.partition import event_partition, relay_partition
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_health import HealthState, RelayHealth
from schemas.topics import physical

_HEALTH, _DOCUMENTS = "relays.health", "relays.documents"


async def read_health(settings: Settings, host: str, url: str) -> RelayHealth | None:
    """Read the newest record of a relay (normalised host and URL); None: it was never probed."""
    (state,) = await describe_topics(settings, _HEALTH)
    if not state.partitions:
        return None
    name = physical(settings.kafka.topic_prefix, _HEALTH)
    found = await read_to_end(settings, name, [relay_partition(host, state.partitions)])
    value = found.get(url.encode())
    return None if value is None else RelayHealth.decode(value)


async def read_states(settings: Settings) -> dict[str, HealthState]:
    """Read the state of every relay that was probed."""
    (topic,) = await describe_topics(settings, _HEALTH)
    if not topic.partitions:
        return {}
    name = physical(settings.kafka.topic_prefix, _HEALTH)
    found = await read_to_end(settings, name, None, lambda _key, value: RelayHealth.decode(value).state)
    return {key.decode(errors="replace"): state for key, state in found.items()}


async def read_documents(settings: Settings, hashes: Collection[str]) -> dict[str, RelayInformation]:
    """Read what these information documents say; those that are not there, or are none, are left out."""
    (state,) = await describe_topics(settings, _DOCUMENTS)
    partitions = {event_partition(hash_, state.partitions) for hash_ in hashes if state.partitions}
    if not partitions:
        return {}
    wanted = {hash_.encode() for hash_ in hashes}
    name = physical(settings.kafka.topic_prefix, _DOCUMENTS)
    found = await read_to_end(settings, name, partitions, lambda key, value: value if key in wanted else b"")
    read = {}
    for key, value in found.items():
        if value:
            try:
                read[key.decode()] = parse_document(RelayDocumentRecord.decode(value).text)
            except NotADocumentError:
                continue
    return read
