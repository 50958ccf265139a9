"""The registry as a process, what is sent to it, and what it wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from core import kafka
from core.kafka.topics import create_topics
from core.settings import Settings
from schemas.records.relay import RelayRecord
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_found import RelayFound
from schemas.relay_digest import registry_digest
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import normalize
from schemas.topics import physical
from tests.broker.processors.harness import DEADLINE_S, Found, Process, processor, records
from tests.unit.processors.registry.material import told
from tests.waiting import until

REGISTRY = ("-m", "bigbrotr", "service", "registry")
SETTLED_S = 240.0  # 10,000 findings take 8 s of a core, of which there may be little
SEEN_POLL_S = 0.1  # a look reads a whole topic


def registry(settings: Settings, directory: Path, name: str = "r") -> AbstractContextManager[Process]:
    return processor(settings, directory, arguments=REGISTRY, name=name)


def partition(target: str, settings: Settings) -> int:
    """Of a URL, or of the host that a command is about."""
    host = normalize(target, allow_private=True).host if "://" in target else target
    return domain_partition(host, settings.kafka.partitions)


async def send(settings: Settings, topic: str, sent: Iterable[tuple[int, bytes, bytes]]) -> None:
    """Write records, each with its partition, key and value, and wait until they are durable."""
    publisher = await kafka.open_publisher(settings)
    try:
        for number, key, value in sent:
            await publisher.send(physical(settings.kafka.topic_prefix, topic), value, key, number)
        await publisher.flush(DEADLINE_S)
    finally:
        await publisher.close()


async def find(settings: Settings, *findings: RelayFound) -> None:
    await send(
        settings,
        "relays.found",
        [(partition(each.url, settings), each.url.encode(), each.encode()) for each in findings],
    )


async def command(settings: Settings, *commands: RelayCommand) -> None:
    """Have commands heard as the `relays` commands do: in `relays.commands` first, then in `relays.found`."""
    await send(
        settings,
        "relays.commands",
        [(partition(each.target, settings), each.key(), each.encode()) for each in commands],
    )
    await find(settings, *[told(each) for each in commands])


def newest(found: Iterable[Found]) -> dict[str, RelayRecord]:
    """What a compacted topic says."""
    values = {record.key: record.value for record in found}
    return {key.decode(): RelayRecord.decode(value) for key, value in values.items() if value}


async def relays(settings: Settings) -> dict[str, RelayRecord]:
    return newest(await records(settings, "relays"))


async def candidates(settings: Settings) -> dict[str, RelayRecord]:
    return newest(await records(settings, "relays.candidates"))


async def digest(settings: Settings) -> str:
    """That of all that is known; no relay may stand in both topics."""
    admitted, named = await relays(settings), await candidates(settings)
    assert not admitted.keys() & named.keys()
    return digest_of(admitted.values(), named.values())


def digest_of(admitted: Iterable[RelayRecord], named: Iterable[RelayRecord]) -> str:
    """The digest of two topics that hold these records."""
    return repr((registry_digest(admitted), registry_digest(named)))


async def replayed(settings: Settings, *topics: str) -> Settings:
    """Make topics that hold what these topics do, and nothing that a registry has decided."""
    kafka = settings.kafka.model_copy(update={"topic_prefix": f"{settings.kafka.topic_prefix}again."})
    again = settings.registry.model_copy(update={"group_id": f"{settings.registry.group_id}-again"})
    fresh = settings.model_copy(update={"kafka": kafka, "registry": again})
    await create_topics(fresh)
    for topic in topics:
        held = await records(settings, topic)
        await send(fresh, topic, [(record.partition, record.key, record.value) for record in held])
    return fresh


async def settled(process: Process) -> None:
    """Wait until a process has taken all that was found, and has decided all that was due."""

    async def done() -> bool:
        assert process.popen.poll() is None, process.log()
        details = await asyncio.to_thread(process.details)
        lag = dict(details.get("lag", {}))
        return bool(lag) and not any(lag.values()) and bool(details["is_settled"])

    await until(done, lambda: f"all is decided: {process.details()}", SETTLED_S)


async def known(settings: Settings, wanted: dict[str, bool | None]) -> None:
    """Wait until relays are allowed, denied (False), or candidates (None), and nothing else is in the topics."""

    async def found() -> bool:
        admitted = {url: record.allowed for url, record in (await relays(settings)).items()}
        return admitted | dict.fromkeys(await candidates(settings)) == wanted

    await until(found, f"relays are {wanted}", poll_s=SEEN_POLL_S)
