"""Publishes seeds that are not recorded yet: a command each, and then the news of it that the registry acts on."""

from __future__ import annotations

from collections.abc import Iterable

from core.kafka import ProducerRecord, Publisher, read_to_end
from core.settings import Settings
from producers.operator.relay_commands import adding, told
from producers.targets import full_name
from schemas.records.relay_command import RelayCommand
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import RelayUrl


async def publish_seeds(
    settings: Settings, publisher: Publisher, relays: Iterable[RelayUrl], *, allow_private: bool, now_ms: int
) -> int:
    """Publish what `relays.commands` does not hold yet, and wait until it is durable.

    Args:
        settings: of the process.
        publisher: to send with.
        relays: of the list. One that has left the list keeps its command: a list that shrinks takes nothing away.
        allow_private: lets these relays have private addresses.
        now_ms: the time of day.

    Returns:
        How many were published.

    Raises:
        PublishError: Kafka refused a record.
    """
    topic = full_name(settings, "relays.commands")
    partitions = await publisher.partition_count(topic)
    recorded = await read_to_end(settings, topic, range(partitions))
    new = new_seeds(relays, recorded, allow_private=allow_private, now_ms=now_ms)
    await publisher.deliver(
        ProducerRecord(topic, seed.encode(), seed.key(), domain_partition(url.host, partitions)) for url, seed in new
    )
    # Only now: the registry finds the command where it looks for it once it has read the news. It follows the commands
    # too, so an end of this process between the two leaves no seed out.
    found = full_name(settings, "relays.found")
    count = await publisher.partition_count(found)
    await publisher.deliver(
        ProducerRecord(found, told(seed).encode(), seed.target.encode(), domain_partition(url.host, count))
        for url, seed in new
    )
    return len(new)


def new_seeds(
    relays: Iterable[RelayUrl], recorded: dict[bytes, bytes], *, allow_private: bool, now_ms: int
) -> list[tuple[RelayUrl, RelayCommand]]:
    """The commands that differ in more than their time from what is recorded; `recorded`: values by key."""
    urls = list(relays)
    seeds = adding(urls, source="seed", allow_private=allow_private, now_ms=now_ms)
    return [pair for pair in zip(urls, seeds, strict=True) if not _says_the_same(recorded.get(pair[1].key()), pair[1])]


def _says_the_same(value: bytes | None, seed: RelayCommand) -> bool:
    if value is None:
        return False
    try:
        found = RelayCommand.decode(value)
    except ValueError:
        return False
    return found.model_copy(update={"at_ms": seed.at_ms}) == seed
