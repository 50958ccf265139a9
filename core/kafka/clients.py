"""Started Kafka clients with the settings that guarantee durable writes, no hidden commits and no skipped records.

Each function waits for the broker as long as it takes, or as `core.waiting.giving_up_after` allows, with back-off, and
says so in the log and in `/readyz`. A broker that refuses us is not waited for: KafkaRefusedError says what to correct
(`core.kafka.refusals`). The settings differ
from aiokafka's defaults where those lose data: acks=all instead of 1, an idempotent producer, reading from the earliest
record instead of the latest, and no commits behind our back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, ProducerClosed

from core.kafka.access import SETTING, bootstrap_servers, connection_options
from core.kafka.refusals import raise_if_refused
from core.settings.model import Settings
from core.tasks import is_being_cancelled
from core.waiting import until_it_works
from schemas.topics import OUTPUT_FACTOR, RAW_LIMIT_BYTES

logger = logging.getLogger(__name__)

Client = TypeVar("Client", AIOKafkaProducer, AIOKafkaConsumer, AIOKafkaAdminClient)

# Key, headers and the batch header around the largest value that any topic takes.
_REQUEST_OVERHEAD_BYTES = 64 * 1024
# Two heartbeats may be lost within the shortest session that Kafka allows.
_HEARTBEAT_MS = 2_000
# A revoke waits for a drain; the group must wait for us longer than the longest drain that settings allow by default.
_REBALANCE_TIMEOUT_MS = 60_000
# A bundle topic's largest batch is 1 MiB; a larger single batch (up to 4 MiB) is still delivered whole (KIP-74), so
# this bounds memory at about this times the partitions without ever blocking a partition.
_PARTITION_FETCH_BYTES = 1024 * 1024
# A leader of a group that knows no partitions of a topic yet, as just after a broker's restart, gives none of them to
# anybody, and shares anew only when its metadata are refreshed: after five minutes, if it were aiokafka's default.
METADATA_AGE_MS = 10_000
COMMIT_INTERVAL_S = 0.5
"""How often a processor commits what is acknowledged: as much work a kill may repeat, and as late a connector knows
what is validated. The request costs less than a millisecond."""
FETCH_MAX_WAIT_MS = 50
"""For a consumer that catches up in some partitions while others are at their ends.

aiokafka has one fetch under way at a broker. One that asks for nothing but partitions at their ends waits there for new
records, half a second by default, and the others run dry meanwhile.
"""
# Closing sends what is left of a leave-group request. It must not wait for a broker that is away, and must be over
# before the lifecycle's deadline for closing (CLOSE_S, 5 s), which would call a drained service undrained.
STOP_S = 4.0
# A client that never started has nothing to deliver. aiokafka waits for the answer to its request to join, which the
# group holds back while a member that died is waited for; a service that is told to stop cannot wait for that.
_ABANDON_S = 0.5


def is_transient(error: BaseException) -> bool:
    """Return whether waiting may help: the broker is away, electing, or does not have the topic yet."""
    if isinstance(error, KafkaError):
        return bool(error.retriable) or isinstance(error, KafkaTimeoutError)
    return isinstance(error, OSError | TimeoutError)


async def producer(settings: Settings, **overrides: Any) -> AIOKafkaProducer:
    """Start an idempotent producer that waits for every in-sync replica; `core.kafka.publisher` bounds what it holds.

    With idempotence aiokafka never gives a batch up, so `flush` and `stop` do not return while the broker is away: end
    it through `stop_client`.
    """
    options: dict[str, Any] = {
        **connection_options(settings),
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": None if settings.kafka.compression == "none" else settings.kafka.compression,
        "linger_ms": settings.kafka.linger_ms,
        "max_batch_size": settings.kafka.max_batch_bytes,
        "max_request_size": OUTPUT_FACTOR * RAW_LIMIT_BYTES + _REQUEST_OVERHEAD_BYTES,
    }
    options |= overrides
    return await _started(settings, "Kafka", lambda: AIOKafkaProducer(**options))


async def consumer(
    settings: Settings,
    *topics: str,
    group_id: str | None = None,
    listener: ConsumerRebalanceListener | None = None,
    **overrides: Any,
) -> AIOKafkaConsumer:
    """Start a consumer of topics (full names), or one without topics to `assign` partitions to.

    It begins at the earliest record where nothing is committed and never commits by itself. With a group it returns
    once partitions are assigned. `overrides` are options of AIOKafkaConsumer.
    """
    options: dict[str, Any] = {
        **connection_options(settings),
        "group_id": group_id,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "max_partition_fetch_bytes": _PARTITION_FETCH_BYTES,
        "session_timeout_ms": round(settings.kafka.session_timeout_s * 1000),
        "heartbeat_interval_ms": _HEARTBEAT_MS,
        "rebalance_timeout_ms": _REBALANCE_TIMEOUT_MS,
        "metadata_max_age_ms": METADATA_AGE_MS,
    }
    options |= overrides

    def make() -> AIOKafkaConsumer:
        made = AIOKafkaConsumer(**options)
        if topics:
            made.subscribe(topics=list(topics), listener=listener)
        return made

    names = ", ".join(topics)
    shared = f" to give out {names} (`bigbrotr topics create` makes them; the share of a member that died is free after"
    shared += f" {settings.kafka.session_timeout_s:.0f} s), asked"
    what = f"Kafka{shared}" if topics else "Kafka"
    return await _started(settings, what, make)


async def admin(settings: Settings, **overrides: Any) -> AIOKafkaAdminClient:
    """Start an admin client; end it through `stop_client`."""
    options = connection_options(settings) | overrides
    return await _started(settings, "Kafka", lambda: AIOKafkaAdminClient(**options))


async def stop_client(
    client: AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient, timeout_s: float = STOP_S
) -> bool:
    """Stop a client within `timeout_s`; False when it had to be cut off, with whatever it still held undelivered."""
    try:
        async with asyncio.timeout(timeout_s):
            if isinstance(client, AIOKafkaAdminClient):
                await client.close()
            elif isinstance(client, AIOKafkaConsumer):
                await client.stop()
            else:
                await client.stop()
    except TimeoutError:
        logger.warning("a Kafka client did not stop within %.1f s and was cut off", timeout_s)
        if isinstance(client, AIOKafkaProducer):
            await _cut_off_producer(client)
        elif isinstance(client, AIOKafkaConsumer):
            await _cut_off_consumer(client)
        return False
    except asyncio.CancelledError:
        if not isinstance(client, AIOKafkaConsumer) or is_being_cancelled():
            raise
        # aiokafka raises that it has cancelled a fetch which was waiting for a retry.
        await _cut_off_consumer(client)
    return True


async def _cut_off_consumer(client: AIOKafkaConsumer) -> None:
    """End what stop() had no time for: it waits for the group's coordinator before it ends the fetching."""
    fetcher = client._fetcher  # noqa: SLF001
    if fetcher is not None:
        fetcher._closed = True  # noqa: SLF001
        fetches = {fetcher._fetch_task, *fetcher._pending_tasks}  # noqa: SLF001
        for fetch in fetches:
            fetch.cancel()
        await asyncio.wait(fetches, timeout=STOP_S)
        for waiter in list(fetcher._fetch_waiters):  # noqa: SLF001
            fetcher._notify(waiter)  # noqa: SLF001
    await client._client.close()  # noqa: SLF001


async def _cut_off_producer(client: AIOKafkaProducer) -> None:
    """Give up what a producer still holds: its futures fail, instead of waiting without end for an absent broker.

    There is no public way to do it, and the order matters: the sender's task waits for requests that only closing the
    connections ends.
    """
    sender_task = client._sender.sender_task  # noqa: SLF001
    if sender_task is not None:
        sender_task.cancel()
    await client.client.close()
    client._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001
    if sender_task is not None:
        await asyncio.wait({sender_task}, timeout=STOP_S)


async def _started(settings: Settings, what: str, make: Callable[[], Client]) -> Client:
    async def attempt() -> Client:
        client = make()
        try:
            await client.start()
        except BaseException as error:
            await stop_client(client, _ABANDON_S)
            if isinstance(error, KafkaConnectionError):
                await raise_if_refused(settings)
            raise
        return client

    return await until_it_works(
        f"{what} at {bootstrap_servers(settings)}", attempt, is_transient, connects=True, setting=SETTING
    )
