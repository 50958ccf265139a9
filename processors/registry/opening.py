"""Opens what the registry needs: Kafka clients, its rules, and all that it and people have written before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from core.settings import Settings
from processors.assess.assessor import Assessor
from processors.assess.documents import Documents
from processors.assess.following import Following
from processors.assess.handler import AssessHandler
from processors.registry.handler import RegistryHandler
from processors.registry.joint import JointHandler
from processors.registry.registrar import Limits, Registrar
from processors.registry.state import follow
from processors.relay_outputs import RelayOutputs
from processors.runtime.clients import open_clients
from processors.runtime.outputs import RecordPublisher
from processors.runtime.processor import Processor
from processors.runtime.settling import Settling
from processors.runtime.spec import ProcessorSpec
from schemas.topics import physical

_RELAYS = ("relays", "relays.candidates")
_FOUND, _PROBES, _HEALTH, _COVERAGE = "relays.found", "raw.probes", "relays.health", "coverage"
_TOGETHER = (_FOUND, _PROBES, _HEALTH, _COVERAGE)
"""Faust gives a member equal partitions of topics with equal counts; claims lie in `relays.found` by host."""
_IN_FLIGHT = 256
"""Of a partition; each makes a record or two of a kilobyte, which leave in batches while others are acknowledged."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The parts of the process: the processor of what is found and of probes, and what is due beside it."""

    registrar: Registrar
    assess: AssessHandler
    following: Following
    processor: Processor
    settlings: Sequence[Settling]


async def open_registry(settings: Settings, stack: AsyncExitStack) -> Registry:
    """Open it, waiting for the broker, the topics and what they hold; `stack` closes it.

    Raises:
        ValueError: the topics' partition counts differ, so that what belongs together would be apart.
    """
    spec = ProcessorSpec(
        name="registry",
        group_id=settings.registry.group_id,
        sources=(_FOUND, _PROBES),
        outputs=(*_RELAYS, _HEALTH),
        records_in_flight=_IN_FLIGHT,
        in_flight_bytes=settings.kafka.in_flight_bytes,
        drain_s=settings.registry.drain_s,
        follows=(_COVERAGE,),
    )
    clients = await open_clients(settings, spec, stack)
    prefix = settings.kafka.topic_prefix
    partitions = common_count({name: clients.partitions[physical(prefix, name)] for name in _TOGETHER})
    registrar = Registrar(partitions, limits_of(settings, partitions))
    states = follow(settings, registrar)
    assessor = Assessor(partitions, Documents())
    following = Following(settings, assessor, partitions)
    for state in (*states, following):
        clients.closer.push(state.close)
    await asyncio.gather(following.open(), *[state.assign() for state in states])
    publisher = RecordPublisher(clients.producer)
    outputs = RelayOutputs((*_RELAYS, _HEALTH, _FOUND), prefix, clients.partitions)
    registry = RegistryHandler(registrar, assessor, outputs, _now_ms)
    assess = AssessHandler(assessor, following, outputs)
    handler = JointHandler(registry, assess, physical(prefix, _FOUND))
    return Registry(
        registrar,
        assess,
        following,
        Processor(settings, spec, handler, clients, (*states, following), publisher=publisher),
        # Apart, so that a person's command does not wait for what is read of coverage.
        (Settling(registry, states, publisher, _now_ms), Settling(assess, (following,), publisher, _now_ms)),
    )


def common_count(partitions: Mapping[str, int]) -> int:
    """Return the partition count that topics share, so that one process has equal partitions of all.

    Raises:
        ValueError: they differ.
    """
    if len(set(partitions.values())) > 1:
        counts = ", ".join(f"{topic} {count}" for topic, count in partitions.items())
        raise ValueError(f"partitions: must be as many of each of these topics; there are {counts}: make them anew")
    return next(iter(partitions.values()))


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
