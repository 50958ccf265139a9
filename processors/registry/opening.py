"""Opens what the registry needs: Kafka clients, its rules, and all that it and people have written before."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from core.settings import Settings
from processors.registry.handler import RegistryHandler
from processors.registry.outputs import TOPICS, Outputs
from processors.registry.registrar import Limits, Registrar
from processors.registry.settling import Settling
from processors.registry.state import follow
from processors.runtime.clients import open_clients
from processors.runtime.outputs import RecordPublisher
from processors.runtime.processor import Processor
from processors.runtime.spec import ProcessorSpec
from schemas.topics import physical

_SOURCE = "relays.found"
_FOUND_IN_FLIGHT = 256
"""Of a partition; each makes a record or two of a kilobyte, which leave in batches while others are acknowledged."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The parts of the registry: the processor of what is found, and what is due beside it."""

    registrar: Registrar
    processor: Processor
    settling: Settling


async def open_registry(settings: Settings, stack: AsyncExitStack) -> Registry:
    """Open it, waiting for the broker, the topics and what they hold; `stack` closes it.

    Raises:
        ValueError: the topics' partition counts differ, so that what belongs together would be apart.
    """
    spec = ProcessorSpec(
        name="registry",
        group_id=settings.registry.group_id,
        sources=(_SOURCE,),
        outputs=TOPICS,
        records_in_flight=_FOUND_IN_FLIGHT,
        in_flight_bytes=settings.kafka.in_flight_bytes,
        drain_s=settings.registry.drain_s,
    )
    clients = await open_clients(settings, spec, stack)
    partitions = clients.partitions[physical(settings.kafka.topic_prefix, _SOURCE)]
    registrar = Registrar(partitions, limits_of(settings, partitions))
    states = follow(settings, registrar)
    for state in states:
        clients.closer.push(state.close)
    await asyncio.gather(*[state.assign() for state in states])
    outputs = Outputs(settings.kafka.topic_prefix, clients.partitions)
    publisher = RecordPublisher(clients.producer)
    processor = Processor(
        settings, spec, RegistryHandler(registrar, outputs, _now_ms), clients, states, publisher=publisher
    )
    settling = Settling(registrar, states, outputs, publisher, _now_ms)
    return Registry(registrar, processor, settling)


def limits_of(settings: Settings, partitions: int) -> Limits:
    """Share what is set for the whole registry among the partitions, so that it holds for any number of processes."""
    given = settings.registry
    return Limits(
        admissions_per_domain=given.admissions_per_domain_day,
        admissions_per_partition=-(-given.admissions_per_day // partitions),
        candidates_per_domain=given.candidates_per_domain,
        candidates_per_partition=-(-given.candidates // partitions),
        allow_private=settings.discovery.allow_private,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
