"""Opens what validation needs: Kafka clients, the rules of erasure, threads for signatures."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from core import kafka
from core.erasures import ErasureFollower, into
from core.kafka.topic_identity import Identities, identify
from core.settings import Settings
from core.waiting import until_it_works
from processors.runtime.clients import Clients, open_clients
from processors.runtime.processor import Processor
from processors.runtime.spec import ProcessorSpec
from processors.validate.archived import ArchivedEvents, Topics
from processors.validate.completeness import first_incomplete
from processors.validate.erasing import Erasing
from processors.validate.handler import ValidationHandler
from processors.validate.known.pairs import RelayTokens
from processors.validate.outputs import TOPICS, Outputs
from processors.validate.verify import Verifier
from schemas.nostr.judge import Policy
from schemas.partition import is_partition_count
from schemas.topics import physical

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Validation:
    """The started parts of validation.

    Attributes:
        spec: of the processor.
        clients: of Kafka.
        partitions: the count that the topics keyed by event id share.
        erasing: what is dropped because it is erased.
        erasures: keeps it current.
        verifier: checks signatures.
        outputs: writes outcomes as records.
        relays: tokens of relays, for sightings that are known; None: every one is published.
        archive: what is known beyond the seen-sets; None: it is not asked.
    """

    spec: ProcessorSpec
    clients: Clients
    partitions: int
    erasing: Erasing
    erasures: ErasureFollower
    verifier: Verifier
    outputs: Outputs
    relays: RelayTokens | None
    archive: ArchivedEvents | None


async def open_validation(settings: Settings, stack: AsyncExitStack) -> Validation:
    """Open it, waiting for the broker, the topics and all that says what is erased; `stack` closes it.

    Raises:
        ValueError: the topics' partition counts differ, so that records would land elsewhere than expected.
    """
    spec = ProcessorSpec(
        name="processor",
        group_id=settings.processor.group_id,
        sources=("raw.bundles",),
        outputs=TOPICS,
        records_in_flight=settings.processor.bundles_in_flight,
        in_flight_bytes=settings.kafka.in_flight_bytes,
        drain_s=settings.processor.drain_s,
    )
    clients = await open_clients(settings, spec, stack)
    partitions = shared_count(clients.partitions)
    erasing = Erasing.of(settings.policy)
    follower = ErasureFollower(settings, into(erasing.index))
    clients.closer.push(follower.close)
    await follower.start()
    verifier = Verifier(settings.processor.verify_threads)
    stack.callback(verifier.close)
    outputs = Outputs(settings.kafka.topic_prefix, partitions)
    relays = await _open_relays(settings)
    archive = None if relays is None else await _open_archive(settings, clients, relays, partitions, stack)
    return Validation(spec, clients, partitions, erasing, follower, verifier, outputs, relays, archive)


async def open_validator(settings: Settings, stack: AsyncExitStack) -> Processor:
    """Open the processor that validates. It joins its group when it is started."""
    opened = await open_validation(settings, stack)
    handler = ValidationHandler(
        policy=Policy(archive_ephemeral=settings.processor.archive_ephemeral),
        erasing=opened.erasing,
        partitions=opened.partitions,
        seen_ids_per_partition=settings.processor.seen_ids_per_partition,
        relays=opened.relays,
        archive=opened.archive,
        verifier=opened.verifier,
        outputs=opened.outputs,
        discovery=settings.discovery,
    )
    return Processor(settings, opened.spec, handler, opened.clients, [opened.erasures])


async def _open_relays(settings: Settings) -> RelayTokens | None:
    """Have known sightings left out, unless the topic forgets: a rebuild would lack what is not published again."""
    reason = await first_incomplete(settings, "sightings")
    if reason is None:
        return RelayTokens()
    log.warning("known sightings are published again each time: %s", reason)
    return None


async def _open_archive(
    settings: Settings, clients: Clients, relays: RelayTokens, partitions: int, stack: AsyncExitStack
) -> ArchivedEvents | None:
    """Have the archive asked for known events, where there is one and the topics keep what is left out of them."""
    if not settings.processor.ask_archive or settings.postgres.dsn is None:
        return None
    if (reason := await first_incomplete(settings, "events")) is not None:
        log.warning("the archive is not asked for known events: %s", reason)
        return None
    names = [physical(settings.kafka.topic_prefix, name) for name in ("events", "sightings")]

    async def ask() -> Identities:
        return await identify(clients.producer.client, names)

    found = await until_it_works("Kafka to identify its topics", ask, kafka.is_transient)
    archive = ArchivedEvents(settings, Topics(found.cluster_id, found.topic_ids), relays, partitions)
    stack.push_async_callback(archive.close)
    return archive


def shared_count(counts: Mapping[str, int]) -> int:
    """Return how many partitions every topic has.

    Raises:
        ValueError: they differ, or it is no power of two.
    """
    found = set(counts.values())
    count = found.pop()
    if found or not is_partition_count(count):
        raise ValueError(f"partition counts must be one power of two, not {dict(counts)}; make the topics anew")
    return count
